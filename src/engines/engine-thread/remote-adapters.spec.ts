import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  EngineError,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineRequest,
  type EngineSink,
} from '../engine-adapter.port.js';
import { Secret } from '../../platform/config/secret.js';
import { acrossALine } from '../../../test/support/across-a-line.js';

const endpoint: EngineEndpoint = {
  poolId: 'p',
  replicaId: 'r0',
  url: 'http://127.0.0.1:1',
  timeouts: { connectMs: 1, idleMs: 1, wallMs: 1 },
  apiKey: new Secret('a key'),
};
const work = { kind: 'completion', input: { prompt: '' }, maxTokens: 1, seed: 1, sampling: undefined } as const;
const request: EngineRequest = { taskId: 't', correlationId: 'c', model: undefined, work };
const usage = { tokensIn: 1, tokensOut: 2, finishReason: 'stop' } as const;

/** An adapter that is played by hand. */
class PlayedAdapter implements EngineAdapter {
  readonly engine = 'mock';
  readonly runs: { readonly sink: EngineSink; readonly signal: AbortSignal; readonly endpoint: EngineEndpoint }[] = [];
  readonly stream = { pause: vi.fn<() => void>(), resume: vi.fn<() => void>() };
  submit = (at: EngineEndpoint, _request: EngineRequest, sink: EngineSink, signal: AbortSignal) => {
    this.runs.push({ sink, signal, endpoint: at });
    return this.stream;
  };
  countTokens = (_at: EngineEndpoint, _model: string | undefined, text: string, signal: AbortSignal) =>
    new Promise<number>((resolve, reject) => {
      if (text !== 'hang') resolve(text.length);
      signal.addEventListener('abort', () => reject(new EngineError('DECODE_TIMEOUT', 'given up')));
    });
  evictSession = () => Promise.reject(new EngineError('REPLICA_EXHAUSTED', 'gone', { isAway: true }));
}

function played() {
  const inner = new PlayedAdapter();
  const told: unknown[] = [];
  const sink: EngineSink = {
    onToken: (text) => told.push(text),
    onPrompt: (tokensIn) => told.push({ tokensIn }),
    onEnd: (end) => told.push(end),
    onError: (error) => told.push(error),
  };
  return { inner, adapter: acrossALine(inner), sink, told };
}

/** The run of this number, once it has crossed the line. */
async function runOf(inner: PlayedAdapter, number = 0) {
  await expect.poll(() => inner.runs.length, { interval: 1 }).toBeGreaterThan(number);
  const run = inner.runs[number];
  if (run === undefined) throw new Error('no such run');
  return run;
}

const untilTold = (told: readonly unknown[], count: number) => expect.poll(() => told.length).toBe(count);

describe('an adapter in a thread', () => {
  it('tells each run all that is its own, in order, however many tell at once', async () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.string({ unit: 'binary', minLength: 1 })), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (told) => {
        const { inner, adapter } = played();
        const heard: string[][] = [[], [], []];
        const over = heard.map(
          (texts) =>
            new Promise<void>((resolve) => {
              const sink = {
                onToken: (text: string) => texts.push(text),
                onPrompt: () => undefined,
                onError: () => undefined,
              };
              adapter.submit(endpoint, request, { ...sink, onEnd: () => resolve() }, new AbortController().signal);
            }),
        );
        await runOf(inner, 2);
        for (const [number, text] of told) inner.runs[number]?.sink.onToken(text);
        for (const { sink } of inner.runs) sink.onEnd(usage);
        await Promise.all(over);
        expect(heard).toEqual([0, 1, 2].map((run) => told.filter(([to]) => to === run).map(([, text]) => text)));
      }),
      { numRuns: 30 },
    );
  });

  it('is given the key, and tells prompt, end and errors as they were', async () => {
    const { inner, adapter, sink, told } = played();
    adapter.submit(endpoint, request, sink, new AbortController().signal);
    const first = await runOf(inner);
    expect(first.endpoint.apiKey?.reveal()).toBe('a key');
    first.sink.onPrompt(5);
    first.sink.onEnd({ ...usage, result: { embeddings: [[1, 2]] } });
    await untilTold(told, 2);
    adapter.submit(endpoint, request, sink, new AbortController().signal);
    const error = new EngineError('WORKER_RESET', 'broke', { afterFirstByte: true, wasSent: true });
    (await runOf(inner, 1)).sink.onError(error);
    await untilTold(told, 3);
    expect(told).toEqual([{ tokensIn: 5 }, { ...usage, result: { embeddings: [[1, 2]] } }, error]);
    expect(told[2]).toMatchObject({ code: 'WORKER_RESET', afterFirstByte: true, isAway: false, wasSent: true });
  });

  it('is aborted with its run, of which nothing is told from then on', async () => {
    const { inner, adapter, sink, told } = played();
    const abort = new AbortController();
    adapter.submit(endpoint, request, sink, abort.signal);
    const run = await runOf(inner);
    run.sink.onToken('seen');
    await untilTold(told, 1);
    run.sink.onToken('under way');
    abort.abort();
    await expect.poll(() => run.signal.aborted).toBe(true);
    run.sink.onToken('late');
    const counted = adapter.countTokens?.(endpoint, undefined, 'behind all that', new AbortController().signal);
    expect(await counted).toBe('behind all that'.length);
    expect(told).toEqual(['seen']);
  });

  it('is not asked for a run that is aborted before it begins', async () => {
    const { inner, adapter, sink } = played();
    adapter.submit(endpoint, request, sink, AbortSignal.abort());
    await adapter.countTokens?.(endpoint, undefined, 'behind it', new AbortController().signal);
    expect(inner.runs).toEqual([]);
  });

  it('is held back and let go on', async () => {
    const { inner, adapter, sink } = played();
    const stream = adapter.submit(endpoint, request, sink, new AbortController().signal);
    stream.pause();
    await expect.poll(() => inner.stream.pause.mock.calls.length).toBe(1);
    expect(inner.stream.resume).not.toHaveBeenCalled();
    stream.resume();
    await expect.poll(() => inner.stream.resume.mock.calls.length).toBe(1);
  });

  it('is held back while more waits than the line should hold, and never let go on once it has ended', async () => {
    const { inner, adapter, sink, told } = played();
    const much = 'x'.repeat(1024 * 1024 + 1);
    adapter.submit(endpoint, request, sink, new AbortController().signal);
    const first = await runOf(inner);
    first.sink.onToken(much);
    expect(inner.stream.pause).toHaveBeenCalledOnce();
    await untilTold(told, 1);
    expect(inner.stream.resume).toHaveBeenCalledOnce();
    first.sink.onToken(much);
    first.sink.onEnd(usage);
    await untilTold(told, 3);
    expect(inner.stream.resume).toHaveBeenCalledOnce();
  });

  it('ends the run of a reader that throws, and no other', async () => {
    const { inner, adapter, sink, told } = played();
    const errors: EngineError[] = [];
    const onToken = () => {
      throw new Error('a fault of ours');
    };
    const faulty: EngineSink = { ...sink, onToken, onError: (error) => errors.push(error) };
    adapter.submit(endpoint, request, faulty, new AbortController().signal);
    adapter.submit(endpoint, request, sink, new AbortController().signal);
    const second = await runOf(inner, 1);
    const first = await runOf(inner);
    first.sink.onToken('a');
    second.sink.onToken('b');
    await untilTold(told, 1);
    expect(told).toEqual(['b']);
    expect(errors).toMatchObject([{ code: 'WORKER_RESET', message: 'a fault of ours', afterFirstByte: true }]);
    await expect.poll(() => first.signal.aborted).toBe(true);
  });

  it('answers questions, passes errors on, and hears when an answer is given up', async () => {
    const { adapter } = played();
    expect('metrics' in adapter).toBe(false);
    const abort = new AbortController();
    const hanging = adapter.countTokens?.(endpoint, undefined, 'hang', abort.signal);
    abort.abort();
    await expect(hanging).rejects.toMatchObject({ name: 'EngineError', code: 'DECODE_TIMEOUT' });
    const evicted = adapter.evictSession?.(endpoint, 's', new AbortController().signal);
    await expect(evicted).rejects.toMatchObject({ code: 'REPLICA_EXHAUSTED', isAway: true, wasSent: false });
  });
});
