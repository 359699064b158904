import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../platform/config/secret.js';
import type { CircuitBoard, OpenCircuit } from '../circuit.js';
import {
  EngineError,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineRequest,
  type EngineSink,
  type EngineUsage,
} from '../engine-adapter.port.js';
import { AdapterHost, type EngineBinding } from './adapter-host.js';
import { backoffMs } from './backoff.js';

/** Every submit, in order: the test plays the engine. */
class HandAdapter implements EngineAdapter {
  readonly engine = 'llamacpp';
  readonly calls: { endpoint: EngineEndpoint; sink: EngineSink; signal: AbortSignal }[] = [];

  submit(endpoint: EngineEndpoint, _: EngineRequest, sink: EngineSink, signal: AbortSignal) {
    this.calls.push({ endpoint, sink, signal });
    return { pause: () => undefined, resume: () => undefined };
  }
}

class MapBoard implements CircuitBoard {
  readonly circuits = new Map<string, OpenCircuit>();
  of = (poolId: string, replicaId: string): OpenCircuit | null => this.circuits.get(`${poolId}/${replicaId}`) ?? null;
  set = (poolId: string, replicaId: string, circuit: OpenCircuit | null): void => {
    if (circuit === null) this.circuits.delete(`${poolId}/${replicaId}`);
    else this.circuits.set(`${poolId}/${replicaId}`, circuit);
  };
}

function binding(url: string, change: Partial<EngineBinding> = {}, apiKey?: string): EngineBinding {
  const timeouts = { connectMs: 1, idleMs: 1, wallMs: 1 };
  return {
    engine: 'llamacpp',
    endpoint: { poolId: 'p', replicaId: 'r', url, timeouts, ...(apiKey && { apiKey: new Secret(apiKey) }) },
    retry: { max: 2, baseMs: 100, longestMs: 150 },
    circuit: { failures: 5, windowMs: 1000, openMs: 1000, longestOpenMs: 1000 },
    ...change,
  };
}

const request: EngineRequest = {
  taskId: 't',
  correlationId: 'c',
  model: undefined,
  work: { kind: 'completion', input: { prompt: '' }, maxTokens: 1, seed: undefined, sampling: undefined },
};
const lost = (afterFirstByte = false): EngineError => new EngineError('REPLICA_EXHAUSTED', 'lost', { afterFirstByte });
const usage = { tokensIn: 1, tokensOut: 1, finishReason: 'stop' as const };

function setUp() {
  const adapter = new HandAdapter();
  const board = new MapBoard();
  const host = new AdapterHost(new Map([['llamacpp', adapter]]), board, { now: () => Date.now() }, () => 1);
  const heard: unknown[] = [];
  const sink: EngineSink = {
    onToken: (text) => heard.push(text),
    onPrompt: (tokensIn) => heard.push(tokensIn),
    onEnd: () => heard.push('end'),
    onError: (error) => heard.push(error),
  };
  const abort = new AbortController();
  const submit = (mayAskAgain = true): boolean =>
    host.route('p', 'r', { mayAskAgain })?.submit(request, sink, abort.signal) !== undefined;
  const last = () => adapter.calls.at(-1)?.sink;
  return { adapter, board, host, heard, abort, submit, last };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('binding', () => {
  it('leaves a running stream where it is and sends the next one to the new engine', () => {
    const { host, adapter, submit, heard } = setUp();
    host.bind(binding('http://a'));
    submit();
    host.bind(binding('http://b'));
    submit();
    host.unbind('p', 'r');
    expect(submit()).toBe(false);
    expect(adapter.calls.map(({ endpoint }) => endpoint.url)).toEqual(['http://a', 'http://b']);
    adapter.calls[0]?.sink.onToken('from a');
    adapter.calls[0]?.sink.onEnd(usage);
    expect(heard).toEqual(['from a', 'end']);
  });

  it('of another engine starts with a closed circuit, which the old one can not open', () => {
    const { host, board, submit, last, adapter } = setUp();
    const once = { circuit: { failures: 1, windowMs: 1000, openMs: 1000, longestOpenMs: 1000 } };
    host.bind(binding('http://a', once));
    submit(false);
    submit(false);
    last()?.onError(lost());
    expect(board.of('p', 'r')).not.toBeNull();
    host.bind(binding('http://b', once));
    expect(board.of('p', 'r')).toBeNull();
    adapter.calls[0]?.sink.onError(lost());
    expect(board.of('p', 'r')).toBeNull();
  });

  it('of the same once more changes nothing, a new key does', () => {
    const { host, submit, adapter } = setUp();
    for (const key of ['k1', 'k1', 'k2']) host.bind(binding('http://a', {}, key));
    submit();
    expect(adapter.calls[0]?.endpoint.apiKey?.reveal()).toBe('k2');
    expect(host.replicasOf('p')).toEqual(['r']);
    expect(host.bind({ ...binding('http://a'), engine: 'none' as never })).toBe(false);
  });
});

describe('an engine that is lost', () => {
  it('before its first byte is asked again, as often as the pool says', () => {
    const { host, adapter, submit, last, heard } = setUp();
    host.bind(binding('http://a'));
    submit();
    for (const pauseMs of [100, 150]) {
      last()?.onPrompt(3);
      last()?.onError(lost());
      const { length } = adapter.calls;
      vi.advanceTimersByTime(pauseMs - 1);
      expect(adapter.calls).toHaveLength(length);
      vi.advanceTimersByTime(1);
      expect(adapter.calls).toHaveLength(length + 1);
    }
    last()?.onError(lost());
    vi.runAllTimers();
    expect(adapter.calls).toHaveLength(3);
    expect(heard).toEqual([3, lost()]);
  });

  it('and is gone then, says that it may have had the request before', () => {
    const { host, submit, last, heard } = setUp();
    const away = () => new EngineError('REPLICA_EXHAUSTED', 'refused', { isAway: true });
    host.bind(binding('http://a', { retry: { max: 1, baseMs: 1, longestMs: 1 } }));
    for (const first of [away(), lost()]) {
      submit();
      last()?.onError(first);
      vi.runAllTimers();
      last()?.onError(away());
    }
    expect(heard).toMatchObject([
      { isAway: true, wasSent: false },
      { isAway: true, wasSent: true },
    ]);
  });

  it.each([
    ['after its first byte', lost(true), true],
    ['where another replica could take the task', lost(), false],
    ['because the request is wrong', new EngineError('INVALID_PARAMS', 'no'), true],
    ['because it was silent', new EngineError('DECODE_TIMEOUT', 'silent'), true],
  ])('%s is not asked again', (_, error, mayAskAgain) => {
    const { host, adapter, submit, last, heard } = setUp();
    host.bind(binding('http://a'));
    submit(mayAskAgain);
    last()?.onError(error);
    vi.runAllTimers();
    expect(adapter.calls).toHaveLength(1);
    expect(heard).toEqual([error]);
  });

  it('after a token is not asked again, whatever it says of itself', () => {
    const { host, adapter, submit, last } = setUp();
    host.bind(binding('http://a'));
    submit();
    last()?.onToken('x');
    last()?.onError(lost());
    vi.runAllTimers();
    expect(adapter.calls).toHaveLength(1);
  });

  it('is left alone when the task is canceled in the pause', () => {
    const { host, adapter, submit, last, heard, abort } = setUp();
    host.bind(binding('http://a'));
    submit();
    last()?.onError(lost());
    abort.abort();
    vi.runAllTimers();
    expect(adapter.calls).toHaveLength(1);
    expect(heard).toEqual([]);
  });

  it('never shows its key', () => {
    const { host, submit, last, heard } = setUp();
    host.bind(binding('http://a', {}, 'sk-secret'));
    submit();
    last()?.onError(new EngineError('INVALID_PARAMS', 'wrong key sk-secret for http://u:p@a'));
    expect(JSON.stringify([heard, String(heard[0])])).not.toMatch(/sk-secret|u:p/);
  });
});

describe('the numbers of an engine', () => {
  const endOf = (told: Pick<EngineUsage, 'tokensIn' | 'tokensOut'>) => {
    const { host, adapter } = setUp();
    host.bind(binding('http://a'));
    const onEnd = vi.fn<EngineSink['onEnd']>();
    const sink = { onToken: () => undefined, onPrompt: () => undefined, onEnd, onError: () => undefined };
    host.route('p', 'r', { mayAskAgain: false })?.submit(request, sink, new AbortController().signal);
    const engine = adapter.calls[0]?.sink;
    engine?.onToken('a');
    engine?.onToken('b');
    engine?.onEnd({ ...told, finishReason: 'length' });
    return onEnd.mock.lastCall?.[0];
  };

  it('are believed where they can be counts', () => {
    expect(endOf({ tokensIn: 0, tokensOut: 7 })).toEqual({ tokensIn: 0, tokensOut: 7, finishReason: 'length' });
  });

  it.each([-1, 1.5, 1e15, Number.NaN])('are what was seen where they can not: %d', (nonsense) => {
    expect(endOf({ tokensIn: nonsense, tokensOut: 7 })).toMatchObject({ tokensIn: 0, tokensOut: 7 });
    expect(endOf({ tokensIn: 5, tokensOut: nonsense })).toMatchObject({ tokensIn: 5, tokensOut: 2 });
  });

  it('of the prompt are not told where they are none', () => {
    const { host, submit, last, heard } = setUp();
    host.bind(binding('http://a'));
    submit();
    last()?.onPrompt(-3);
    last()?.onPrompt(1e15);
    last()?.onPrompt(4);
    expect(heard).toEqual([4]);
  });
});

describe('a circuit', () => {
  const failing = { retry: { max: 0, baseMs: 1, longestMs: 1 } };

  it('opens by lost engines, broken streams and silence', () => {
    const { host, board, submit, last } = setUp();
    host.bind(binding('http://a', failing));
    const losses = [lost(), new EngineError('WORKER_RESET', 'broke'), new EngineError('DECODE_TIMEOUT', 'silent')];
    for (const error of [...losses, lost(), lost()]) {
      expect(board.of('p', 'r')).toBeNull();
      submit();
      last()?.onError(error);
    }
    expect(board.of('p', 'r')).toMatchObject({ trips: 1, reason: 'lost' });
  });

  it('does not open by refused requests or cancels, and closes by neither', () => {
    const { host, board, submit, last, abort } = setUp();
    host.bind(binding('http://a', failing));
    const half: OpenCircuit = { sinceMs: 0, untilMs: Date.now(), trips: 1, reason: '' };
    board.set('p', 'r', half);
    for (let n = 0; n < 20; n++) {
      submit();
      last()?.onError(new EngineError('INVALID_PARAMS', 'too long'));
      submit();
    }
    abort.abort();
    expect(board.of('p', 'r')).toBe(half);
  });

  it('closes by the first token, also of a task that never ends', () => {
    const { host, board, submit, last } = setUp();
    host.bind(binding('http://a', failing));
    board.set('p', 'r', { sinceMs: 0, untilMs: Date.now(), trips: 1, reason: '' });
    submit();
    last()?.onToken('x');
    expect(board.of('p', 'r')).toBeNull();
  });

  it('that is not closed is not worked on with retries', () => {
    const { host, adapter, board, submit, last, heard } = setUp();
    host.bind(binding('http://a'));
    board.set('p', 'r', { sinceMs: 0, untilMs: Date.now(), trips: 1, reason: '' });
    submit();
    last()?.onError(lost());
    vi.runAllTimers();
    expect(adapter.calls).toHaveLength(1);
    expect(heard).toEqual([lost()]);
    expect(board.of('p', 'r')).toMatchObject({ trips: 2 });
  });
});

it('pauses are anything up to a cap that doubles', () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.float({ min: 0, max: 1, noNaN: true }), (retry, random) => {
      const rules = { max: 1, baseMs: 10, longestMs: 1000 };
      const pauseMs = backoffMs(retry, rules, random);
      expect(pauseMs).toBeGreaterThanOrEqual(0);
      expect(pauseMs).toBeLessThanOrEqual(Math.min(1000, 10 * 2 ** retry));
      expect(backoffMs(retry, rules, 1)).toBe(Math.min(1000, 10 * 2 ** retry));
    }),
  );
});
