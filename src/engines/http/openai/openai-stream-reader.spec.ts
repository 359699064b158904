import { describe, expect, it } from 'vitest';
import { EngineError, type EngineSink } from '../../engine-adapter.port.js';
import { OpenAiStreamReader } from './openai-stream-reader.js';

const endpoint = {
  poolId: 'p',
  replicaId: 'r0',
  url: 'http://127.0.0.1:1',
  timeouts: { connectMs: 1, idleMs: 1, wallMs: 1 },
};
const event = (chunk: unknown): string => `data: ${JSON.stringify(chunk)}\n\n`;
const choice = (delta: object, reason: string | null = null): string =>
  event({ choices: [{ index: 0, delta, finish_reason: reason }], usage: null });
const usage = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 9 } });
const said = choice({ content: 'a' });
const cut = new EngineError('WORKER_RESET', 'The connection broke.', { afterFirstByte: true });

function read(...frames: readonly string[]) {
  const heard: unknown[] = [];
  const sink: EngineSink = {
    onToken: (text) => heard.push(text),
    onPrompt: () => undefined,
    onEnd: (end) => heard.push(end),
    onError: (error) => heard.push(error.message),
  };
  const reader = new OpenAiStreamReader(sink, endpoint, 'content');
  for (const frame of frames) reader.push(Buffer.from(frame));
  return { heard, reader };
}

describe('a stream of a server of OpenAI’s API', () => {
  it('has ended with its usage, whatever becomes of `[DONE]`', () => {
    const { heard, reader } = read(said, choice({}, 'length'), usage);
    const end = { tokensIn: 3, tokensOut: 9, finishReason: 'length' };
    expect(heard).toEqual(['a', end]);
    reader.fail(cut);
    reader.push(Buffer.from('data: [DONE]\n\n'));
    reader.finish();
    expect(heard).toEqual(['a', end]);
  });

  it('is whole once the reason is there, though the connection breaks before the usage', () => {
    const { heard, reader } = read(said, choice({}, 'stop'));
    reader.fail(cut);
    expect(heard).toEqual(['a', { tokensIn: 0, tokensOut: 1, finishReason: 'stop' }]);
  });

  it('is lost where the connection breaks before the reason, also behind a usage', () => {
    const withUsage = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 1 } });
    const { heard, reader } = read(said, withUsage);
    reader.fail(cut);
    expect(heard).toEqual(['a', cut.message]);
  });

  it.each(['abort', 'error'])('is lost where its reason is %s', (reason) => {
    expect(read(said, choice({}, reason), usage, 'data: [DONE]\n\n').heard).toEqual([
      'a',
      'The engine ended its stream too early.',
    ]);
  });

  it('gives the words of a model that refuses', () => {
    const refusal = choice({ content: null, refusal: 'I can not' });
    expect(read(refusal, choice({}, 'stop'), usage).heard).toMatchObject(['I can not', { finishReason: 'stop' }]);
  });
});
