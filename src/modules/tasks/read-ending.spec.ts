import { describe, expect, it } from 'vitest';
import type { TaskError } from '../../contract/events.js';
import { encodeFrame, endTemplate, errorTemplate, LogChunk } from '../events/index.js';
import { readEnding } from './read-ending.js';

function chunk(first: number, frames: readonly string[], isFinal = false): LogChunk {
  const last = first + frames.length - 1;
  return new LogChunk('t', { first, last, isFinal }, Buffer.from(frames.join(''), 'utf8'));
}

const token = (id: number, text: string): string => encodeFrame(id, 'token', JSON.stringify({ t: text, i: id - 2 }));
const started = chunk(1, [encodeFrame(1, 'started', '{}')]);
const end = (finishReason: 'stop' | 'canceled'): LogChunk => {
  const known: Readonly<Record<string, string>> = { in: '5', out: '7', decode: '120', first: '30', warm: 'true' };
  const template = endTemplate({ finish_reason: finishReason });
  const filled = template.replaceAll(/\{([a-z]+)\}/g, (blank, name: string) => known[name] ?? blank);
  return chunk(4, [`id: 4\n${filled}`], true);
};

describe('how a task ended', () => {
  it('is unknown while its log is open, or gone', () => {
    expect(readEnding('t', [], 1)).toBeNull();
    expect(readEnding('t', [started, chunk(2, [token(2, 'a')])], 1)).toBeNull();
  });

  it('is what the end frame says', () => {
    expect(readEnding('t', [started, end('stop')], 99)).toEqual({
      taskId: 't',
      state: 'completed',
      endedMs: 99,
      tokensIn: 5,
      tokensOut: 7,
      firstTokenMs: 30,
      decodeTimeMs: 120,
      finishReason: 'stop',
      error: null,
    });
  });

  it('is canceled when the end frame says so', () => {
    expect(readEnding('t', [end('canceled')], 99)).toMatchObject({ state: 'canceled', finishReason: 'canceled' });
  });

  it('is a failure with the tokens that were seen until then', () => {
    const error: TaskError = {
      code: 'WORKER_RESET',
      message: 'The worker died at {out}.',
      retriable: true,
      pool_id: 'p',
    };
    const tokens = chunk(2, [token(2, 'a'), token(3, 'event: token\n')]);
    const failed = chunk(4, [`id: 4\n${errorTemplate(error)}`], true);
    expect(readEnding('t', [started, tokens, failed], 99)).toMatchObject({
      state: 'failed',
      endedMs: 99,
      tokensOut: 2,
      finishReason: null,
      error,
    });
  });

  it('has a message that every store takes', () => {
    const message = 'the engine said \0 and \ud800';
    const failed = chunk(2, [`id: 2\n${errorTemplate({ code: 'INTERNAL', message, retriable: false })}`], true);
    expect(readEnding('t', [started, failed], 99)?.error?.message).toBe('the engine said \ufffd and \ufffd');
  });

  it('can not be read from a frame that is none of ours', () => {
    expect(() => readEnding('t', [chunk(2, ['id: 2\nevent: end\ndata: {}\n\n'], true)], 99)).toThrow('tokens_in');
  });
});
