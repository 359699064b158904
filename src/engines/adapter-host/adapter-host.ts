import type { EngineId } from '../../contract/common.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { CircuitBoard, CircuitRules } from '../circuit.js';
import type {
  EngineAdapters,
  EngineEndpoint,
  EngineRequest,
  EngineSink,
  EngineStream,
} from '../engine-adapter.port.js';
import type { EngineRouter, RoutedEngine, SessionCaches } from '../engine-router.port.js';
import { Attempt, type AttemptTarget } from './attempt.js';
import type { RetryRules } from './backoff.js';
import { Breaker } from './breaker.js';

/** An engine to stand behind a replica. */
export interface EngineBinding {
  readonly engine: EngineId;
  readonly endpoint: EngineEndpoint;
  readonly retry: RetryRules;
  readonly circuit: CircuitRules;
}

interface Bound {
  readonly binding: EngineBinding;
  readonly target: AttemptTarget;
}

/** An engine may let the session's own run end first. */
const evictMs = 60_000;
const noRetries: RetryRules = { max: 0, baseMs: 0, longestMs: 0 };

/**
 * The engines of this process by pool and replica. Binding another engine is one step: streams that run keep what they were routed to, the
 * next one takes the new. It knows neither queues nor leases.
 */
export class AdapterHost implements EngineRouter, SessionCaches {
  private readonly bound = new Map<string, Bound>();

  constructor(
    private readonly adapters: EngineAdapters,
    private readonly board: CircuitBoard,
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * Puts an engine behind a replica, in place of what was there. The same once more changes nothing; at another address it is another engine,
   * and starts with a closed circuit. False: this build has no adapter for it.
   */
  bind(binding: EngineBinding): boolean {
    const { engine, endpoint } = binding;
    const adapter = this.adapters.get(engine);
    if (adapter === undefined) return false;
    const key = keyOf(endpoint.poolId, endpoint.replicaId);
    const before = this.bound.get(key);
    if (before !== undefined && isSame(before.binding, binding)) return true;
    const breaker = new Breaker(endpoint, binding.circuit, this.board, this.clock);
    before?.target.breaker.retire();
    if (before !== undefined && !isSameEngine(before.binding, binding)) breaker.close();
    this.bound.set(key, { binding, target: { adapter, endpoint, breaker, random: this.random } });
    return true;
  }

  /** Takes the engine away from behind a replica; streams that run go on. */
  unbind(poolId: string, replicaId: string): void {
    const key = keyOf(poolId, replicaId);
    this.bound.get(key)?.target.breaker.retire();
    this.bound.delete(key);
  }

  /** The replicas of a pool that have an engine here. */
  replicasOf(poolId: string): string[] {
    return [...this.bound.values()]
      .map(({ target }) => target.endpoint)
      .filter((endpoint) => endpoint.poolId === poolId)
      .map(({ replicaId }) => replicaId);
  }

  route(poolId: string, replicaId: string, { mayAskAgain }: { readonly mayAskAgain: boolean }): RoutedEngine | null {
    const bound = this.bound.get(keyOf(poolId, replicaId));
    if (bound === undefined) return null;
    const { target, binding } = bound;
    const retry = mayAskAgain ? binding.retry : noRetries;
    return {
      endpoint: target.endpoint,
      submit: (request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream =>
        new Attempt(target, retry, request, sink, signal).start(),
    };
  }

  /** Adapters ask only those engines that they know to keep something. */
  async evictSession(sessionId: string): Promise<void> {
    const asked = [...this.bound.values()].map(async ({ target: { adapter, endpoint } }) =>
      adapter.evictSession?.(endpoint, sessionId, AbortSignal.timeout(evictMs)),
    );
    await Promise.allSettled(asked);
  }
}

/** Neither a pool's nor a replica's name holds a slash. */
function keyOf(poolId: string, replicaId: string): string {
  return `${poolId}/${replicaId}`;
}

function isSameEngine(a: EngineBinding, b: EngineBinding): boolean {
  return a.engine === b.engine && a.endpoint.url === b.endpoint.url;
}

function isSame(a: EngineBinding, b: EngineBinding): boolean {
  const keyOfBinding = ({ endpoint }: EngineBinding): string | undefined => endpoint.apiKey?.reveal();
  return JSON.stringify(a) === JSON.stringify(b) && keyOfBinding(a) === keyOfBinding(b);
}
