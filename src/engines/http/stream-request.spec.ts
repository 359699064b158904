import type { Dispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineError, type EngineSink } from '../engine-adapter.port.js';
import { LlamacppStreamReader } from '../llamacpp/llamacpp-stream-reader.js';
import { refusalOf } from './engine-errors.js';
import { streamWork } from './engine-work.js';
import { ResponseFormatError } from './lean/response-reader.js';
import type { EngineAgent } from './lean/lean-agent.js';

const endpoint = {
  poolId: 'p',
  replicaId: 'r0',
  url: 'http://127.0.0.1:1',
  timeouts: { connectMs: 70, idleMs: 30_000, wallMs: 600_000 },
};
const ending = 'data: {"content":"","stop":true,"stop_type":"eos","tokens_predicted":1,"tokens_evaluated":1}\n\n';

/** A request whose answer the test plays. */
function ask() {
  const heard: unknown[] = [];
  const sink: EngineSink = {
    onToken: (text) => heard.push(text),
    onPrompt: () => undefined,
    onEnd: () => heard.push('end'),
    onError: (error) => heard.push(error),
  };
  const abort = vi.fn<(reason: Error) => void>();
  const controller = { abort } as unknown as Dispatcher.DispatchController;
  const dispatch = vi.fn<EngineAgent['dispatch']>();
  const call = { endpoint, path: '/completion', body: '{}', headers: {} };
  const signal = new AbortController();
  const agent = { dispatch } as unknown as EngineAgent;
  streamWork(agent, call, new LlamacppStreamReader(sink, endpoint), signal.signal);
  const [[, handler, connectMs] = []] = dispatch.mock.calls;
  if (handler === undefined) throw new Error('it asked nothing');
  handler.onRequestStart?.(controller, null);
  return {
    heard,
    abort,
    connectMs,
    signal,
    head: (status: number) => handler.onResponseStart?.(controller, status, {}),
    data: (text: string) => handler.onResponseData?.(controller, Buffer.from(text)),
    end: () => handler.onResponseEnd?.(controller, {}),
    breaks: (error: Error) => handler.onResponseError?.(controller, error),
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('connects within the time that the pool gives', () => {
  expect(ask().connectMs).toBe(70);
});

describe('an answer of which all is told', () => {
  it('that goes on is cut off, and says nothing more', () => {
    const { heard, abort, head, data, breaks } = ask();
    head(200);
    data(ending);
    for (let n = 0; n < 9; n++) {
      vi.advanceTimersByTime(100);
      data(': still there\n\n');
    }
    expect(abort).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(abort).toHaveBeenCalledOnce();
    breaks(new Error('aborted'));
    expect(heard).toEqual(['end']);
  });

  it('that ends soon is left to it: its connection may be used again', () => {
    const { abort, head, data, end } = ask();
    head(200);
    data(ending);
    end();
    vi.runAllTimers();
    expect(abort).not.toHaveBeenCalled();
  });
});

describe('a refusal', () => {
  const refused = (status: number, body = ''): EngineError => refusalOf(status, body, endpoint);

  it.each([
    ['is cut off half way', (it_: ReturnType<typeof ask>) => it_.breaks(new Error('cut'))],
    ['is never ended', () => vi.advanceTimersByTime(5000)],
    ['has no end', (it_: ReturnType<typeof ask>) => it_.data('x'.repeat(65_537))],
  ])('whose reason %s is told by its status', (_, happens) => {
    for (const status of [400, 503]) {
      const asked = ask();
      asked.head(status);
      asked.data('{"error":');
      happens(asked);
      vi.runAllTimers();
      expect(asked.heard).toMatchObject([{ code: refused(status).code, message: refused(status).message }]);
    }
  });

  it('is waited for no longer once the task is canceled', () => {
    const { heard, signal, head } = ask();
    head(503);
    signal.abort();
    vi.runAllTimers();
    expect(heard).toEqual([]);
  });
});

it('says what is wrong with an answer that is no HTTP', () => {
  const { heard, breaks } = ask();
  breaks(new ResponseFormatError('what answers does not speak HTTP/1.1'));
  const message = "The engine of replica r0 sent an answer that can't be read: what answers does not speak HTTP/1.1.";
  expect(heard).toMatchObject([{ code: 'REPLICA_EXHAUSTED', message }]);
});
