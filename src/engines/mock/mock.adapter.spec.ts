import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mockConfig } from '../../contract/mock-config.js';
import type {
  CompletionWork,
  EngineEndpoint,
  EngineError,
  EngineSink,
  EngineUsage,
  EngineWork,
} from '../engine-adapter.port.js';
import { MockAdapter } from './mock.adapter.js';

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

afterEach(() => vi.restoreAllMocks());

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

const endpoint = (mock: object = {}): EngineEndpoint => ({
  poolId: 'p',
  replicaId: 'r0',
  url: 'mock://r0',
  timeouts: { connectMs: 1, idleMs: 5000, wallMs: 60_000 },
  mock: mockConfig.parse(mock),
});

const prompt = (text: string, change: Partial<CompletionWork> = {}): CompletionWork => ({
  kind: 'completion',
  input: { prompt: text },
  maxTokens: 6,
  seed: undefined,
  sampling: undefined,
  ...change,
});

function submit(
  work: EngineWork,
  mock: object = {},
  adapter = new MockAdapter(),
  signal = new AbortController().signal,
) {
  const sink = new NotingSink();
  const request = { taskId: 't', correlationId: 'c', model: undefined, work };
  const stream = adapter.submit(endpoint(mock), request, sink, signal);
  return { sink, stream };
}

function run(work: EngineWork, mock: object = {}, adapter = new MockAdapter()): NotingSink {
  const { sink } = submit(work, mock, adapter);
  vi.runAllTimers();
  return sink;
}

describe('a completion', () => {
  it('is of the words asked for, counted, and the same each time', () => {
    const first = run(prompt('Once upon a time'));
    expect(first).toMatchObject({ prompts: [4], errors: [] });
    expect(first.tokens).toHaveLength(6);
    expect(first.ends).toEqual([{ tokensIn: 4, tokensOut: 6, finishReason: 'length' }]);
    expect(run(prompt('Once upon a time')).tokens).toEqual(first.tokens);
  });

  it('is another one for another prompt, seed or option', () => {
    const texts = [
      prompt('a'),
      prompt('b'),
      prompt('a', { seed: 1 }),
      prompt('a', { seed: 1, sampling: { temperature: 0.5 } }),
      prompt('a', { input: { messages: [{ role: 'user', content: 'a' }] } }),
    ].map((work) => run(work).tokens.join(''));
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('goes on from a part of its own answer as it did before', () => {
    const { tokens } = run(prompt('Once', { seed: 7 }));
    const rest = run(prompt(`Once${tokens.slice(0, 2).join('')}`, { seed: 7, maxTokens: 4 }));
    expect(rest.tokens).toEqual(tokens.slice(2));
  });

  it('ends before a stop text', () => {
    const { tokens } = run(prompt('Once'));
    const stop = tokens.slice(2, 4).join('').trim();
    const work = prompt('Once', { sampling: { stop: [stop] } });
    const { ends, tokens: told } = run(work);
    expect(ends).toMatchObject([{ finishReason: 'stop' }]);
    expect(told.join('')).not.toContain(stop);
  });

  it('has the pace of the configuration', () => {
    const { sink } = submit(prompt('Once'), { first_token_ms: 100, tokens_per_s: 10 });
    const counts = [99, 1, 99, 1, 100].map((ms) => {
      vi.advanceTimersByTime(ms);
      return sink.tokens.length;
    });
    expect(counts).toEqual([0, 1, 1, 2, 3]);
  });

  it('says nothing more once it is canceled, and holds back when told to', () => {
    const abort = new AbortController();
    const { sink, stream } = submit(prompt('Once'), {}, new MockAdapter(), abort.signal);
    vi.advanceTimersByTime(50);
    stream.pause();
    vi.advanceTimersByTime(10_000);
    expect(sink.tokens).toHaveLength(1);
    stream.resume();
    vi.advanceTimersByTime(0);
    expect(sink.tokens).toHaveLength(2);
    abort.abort();
    vi.runAllTimers();
    expect([sink.tokens.length, sink.ends, sink.errors]).toEqual([2, [], []]);
    expect(submit(prompt('Once'), {}, new MockAdapter(), AbortSignal.abort()).sink.tokens).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is refused with a grammar', () => {
    expect(run(prompt('a', { sampling: { grammar: 'root ::= "a"' } })).errors).toMatchObject([
      { code: 'INVALID_PARAMS' },
    ]);
  });
});

describe('faults', () => {
  it.each([
    ['reset', 0, 'REPLICA_EXHAUSTED', /broke/],
    ['reset', 2, 'WORKER_RESET', /broke/],
    ['error', 2, 'WORKER_RESET', /told to fail/],
    ['oom', 3, 'WORKER_RESET', /out of memory/],
    ['stall', 1, 'DECODE_TIMEOUT', /silent for 5000 ms/],
  ])('%s after %i tokens', (kind, tokens, code, message) => {
    const sink = run(prompt('Once'), { faults: [{ kind, after_tokens: tokens }] });
    expect(sink.tokens).toHaveLength(tokens);
    expect(sink.errors).toMatchObject([{ code, afterFirstByte: tokens > 0 }]);
    expect(sink.errors[0]?.message).toMatch(message);
    expect(sink.ends).toEqual([]);
  });

  it('come with every so manieth task', () => {
    const adapter = new MockAdapter();
    const mock = { faults: [{ kind: 'error', every: 3 }] };
    const failed = Array.from({ length: 6 }, () => run(prompt('Once'), mock, adapter).errors.length);
    expect(failed).toEqual([0, 0, 1, 0, 0, 1]);
  });

  it('that only delay let the answer go on', () => {
    const mock = { first_token_ms: 0, tokens_per_s: 1000, faults: [{ kind: 'delay', after_tokens: 3, ms: 400 }] };
    const { sink } = submit(prompt('Once'), mock);
    vi.advanceTimersByTime(399);
    expect(sink.tokens).toHaveLength(3);
    vi.runAllTimers();
    expect(sink.ends).toHaveLength(1);
  });
});

it('embeds in vectors of length one, the same for the same text', () => {
  const { ends } = run({ kind: 'embedding', inputs: ['a b', 'c', 'a b'] });
  expect(ends).toMatchObject([{ tokensIn: 5, tokensOut: 0 }]);
  const result = ends[0]?.result;
  if (result === undefined || !('embeddings' in result)) throw new Error('no embeddings');
  const [first, second, third] = result.embeddings;
  expect(first).toEqual(third);
  expect(first).not.toEqual(second);
  expect(Math.hypot(...(first ?? []))).toBeCloseTo(1);
});

it('ranks documents by the words of the query that they have', () => {
  const documents = ['hi', 'The giant panda is a bear', 'a panda'];
  const { ends } = run({ kind: 'rerank', query: 'What is a panda?', documents });
  expect(ends[0]?.result).toEqual({
    scores: [
      { index: 1, score: 0.75 },
      { index: 2, score: 0.5 },
      { index: 0, score: 0 },
    ],
  });
});
