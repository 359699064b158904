import { request } from 'undici';
import { EngineError, type EngineAdapter } from '../../../src/engines/engine-adapter.port.js';

/** Speaks to the fake engine; nothing but what supervision asks for. */
export const fakeAdapter: Pick<EngineAdapter, 'submit'> = {
  submit({ url }, { work }, sink, signal) {
    const headers = work.kind === 'completion' && work.maxTokens > 100 ? { 'x-many': '1' } : {};
    void (async () => {
      try {
        const { body } = await request(`${url}/completion`, { method: 'POST', headers, signal });
        for await (const chunk of body) sink.onToken(String(chunk));
        sink.onEnd({ tokensIn: 1, tokensOut: 1, finishReason: 'length' });
      } catch (error) {
        if (!signal.aborted) sink.onError(new EngineError('UNAVAILABLE', String(error)));
      }
    })();
    return { pause: () => undefined, resume: () => undefined };
  },
};
