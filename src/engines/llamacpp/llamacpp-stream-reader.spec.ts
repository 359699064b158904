import { describe, expect, it } from 'vitest';
import type { EngineError, EngineSink, EngineUsage } from '../engine-adapter.port.js';
import { LlamacppStreamReader } from './llamacpp-stream-reader.js';

/** Writes down what it is told. */
class NotingSink implements EngineSink {
  readonly tokens: string[] = [];
  readonly prompts: number[] = [];
  readonly ends: EngineUsage[] = [];
  readonly errors: EngineError[] = [];
  onToken = (text: string): void => void this.tokens.push(text);
  onPrompt = (tokensIn: number): void => void this.prompts.push(tokensIn);
  onEnd = (usage: EngineUsage): void => void this.ends.push(usage);
  onError = (error: EngineError): void => void this.errors.push(error);
}

const endpoint = {
  poolId: 'p',
  replicaId: 'r0',
  url: 'http://127.0.0.1:1',
  timeouts: { connectMs: 1, idleMs: 1, wallMs: 1 },
};
const event = (frame: unknown): string => `data: ${JSON.stringify(frame)}\n\n`;
const lastFrame = { content: '', stop: true, stop_type: 'limit', tokens_predicted: 2, tokens_evaluated: 5 };

function read(...pieces: readonly string[]): { sink: NotingSink; reader: LlamacppStreamReader } {
  const sink = new NotingSink();
  const reader = new LlamacppStreamReader(sink, endpoint);
  for (const piece of pieces) reader.push(Buffer.from(piece));
  return { sink, reader };
}

describe('reading the stream of POST /completion', () => {
  it('tells prompt tokens once, then each text, then the usage', () => {
    const first = { content: 'a', stop: false, tokens_evaluated: 5, tokens_predicted: 1 };
    const { sink, reader } = read(event(first) + event({ content: 'ß', tokens_evaluated: 5 }), event(lastFrame));
    reader.finish();
    expect(sink).toMatchObject({ prompts: [5], tokens: ['a', 'ß'], errors: [] });
    expect(sink.ends).toEqual([{ tokensIn: 5, tokensOut: 2, finishReason: 'length' }]);
  });

  it('takes any other reason than the limit for a stop, and a last frame that carries text', () => {
    const { sink } = read(event({ ...lastFrame, content: 'end', stop_type: 'eos' }));
    expect(sink.tokens).toEqual(['end']);
    expect(sink.ends).toMatchObject([{ finishReason: 'stop' }]);
  });

  it('counts what it heard where the engine counts nothing, and takes an error of null for none', () => {
    const { sink } = read(event({ content: 'a', error: null }), event({ stop: true, stop_type: 'eos' }));
    expect(sink.ends).toEqual([{ tokensIn: 0, tokensOut: 1, finishReason: 'stop' }]);
  });

  it('takes no notice of what comes after the last frame', () => {
    const { sink, reader } = read(event(lastFrame), event({ content: 'late' }), 'data: [DONE]\n\n');
    reader.finish();
    expect(sink).toMatchObject({ tokens: [], errors: [] });
    expect(sink.ends).toHaveLength(1);
  });

  it('says that the engine was lost when its stream ends without a last frame', () => {
    const { sink, reader } = read(event({ content: 'a' }));
    reader.finish();
    reader.finish();
    expect(sink.errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: true }]);
  });

  it('hands an error of the engine on, and blames the request only for a 4xx', () => {
    const ours = read(event({ error: { code: 400, message: 'bad grammar', type: 'invalid_request_error' } }));
    expect(ours.sink.errors).toMatchObject([
      { code: 'INVALID_PARAMS', message: 'The engine refused the request: bad grammar' },
    ]);
    const theirs = read(event({ error: { code: 500, message: 'out of memory' } }), event(lastFrame));
    expect(theirs.sink.errors).toMatchObject([{ code: 'WORKER_RESET', message: 'out of memory' }]);
    expect(theirs.sink.ends).toEqual([]);
  });

  it('refuses what is no JSON object without repeating it', () => {
    for (const data of ['secret words', 'null', '"secret words"', '{"content":"secret words'])
      expect(() => read(`data: ${data}\n\n`)).toThrow(/^the engine sent an event that is no JSON object$/);
  });
});
