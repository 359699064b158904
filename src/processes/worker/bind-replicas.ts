import type { AdapterHost } from '../../engines/adapter-host/adapter-host.js';
import type { CircuitBoard } from '../../engines/circuit.js';
import { endpointOf } from '../../modules/dispatch/index.js';
import type { LivePool, LiveReplica, PoolRegistry } from '../../modules/pools/index.js';
import type { Clock } from '../../platform/clock/clock.js';

/** Keeps the adapter host in step with the registry: every replica that has an address is bound, every other one is not. */
export class BindReplicas {
  /** Whether a replica, by pool and id, answered its last probe. */
  private readonly isUp = new Map<string, boolean>();

  constructor(
    private readonly host: AdapterHost,
    private readonly pools: PoolRegistry,
    private readonly circuits: CircuitBoard,
    private readonly clock: Clock,
  ) {}

  /** Binds what is known, and follows every change from now on. */
  start(): void {
    this.pools.onChange((poolId) => this.run(poolId));
    for (const poolId of this.pools.ids) this.run(poolId);
  }

  private run(poolId: string): void {
    const pool = this.pools.find(poolId);
    for (const replica of pool?.replicas ?? []) this.noticeReturn(poolId, replica);
    const bound = pool === null ? [] : pool.replicas.flatMap(({ known }) => this.bind(pool, known.id, known.url));
    for (const replicaId of this.host.replicasOf(poolId))
      if (!bound.includes(replicaId)) this.host.unbind(poolId, replicaId);
  }

  /** An engine that was away and is back has probably been started anew: it may be tried at once. */
  private noticeReturn(poolId: string, replica: LiveReplica): void {
    const { id } = replica.known;
    const key = `${poolId}/${id}`;
    const isUp = replica.ready || replica.circuit === 'open';
    const hasReturned = isUp && this.isUp.get(key) === false;
    this.isUp.set(key, isUp);
    const circuit = this.circuits.of(poolId, id);
    const now = this.clock.now();
    if (hasReturned && circuit !== null && circuit.untilMs > now)
      this.circuits.set(poolId, id, { ...circuit, untilMs: now });
  }

  private bind(pool: LivePool, replicaId: string, url: string | null): string[] {
    if (url === null) return [];
    const { retries, circuit, engine } = pool.config;
    const isBound = this.host.bind({
      engine: engine.id,
      endpoint: endpointOf(pool, replicaId, url),
      retry: { max: retries.max, baseMs: retries.base_ms, longestMs: retries.longest_ms },
      circuit: {
        failures: circuit.failures,
        windowMs: circuit.window_ms,
        openMs: circuit.open_ms,
        longestOpenMs: circuit.longest_open_ms,
      },
    });
    return isBound ? [replicaId] : [];
  }
}
