import type { EngineAdapters } from '../../engines/engine-adapter.port.js';
import { endpointOf } from '../../modules/dispatch/index.js';
import type { LivePool, LiveReplica, PoolRegistry } from '../../modules/pools/index.js';
import type { Metrics } from '../../platform/observability/metrics.js';

const everyMs = 5000;
const patienceMs = 2000;

/** Asks the ready engines every few seconds what they measure of themselves, and shows it as ours. An engine that doesn't say is left out. */
export class ScrapeEngines {
  private readonly asking = new Set<string>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly adapters: EngineAdapters,
    private readonly pools: Pick<PoolRegistry, 'all'>,
    private readonly metrics: Metrics,
  ) {}

  start(): void {
    this.run();
    this.timer = setInterval(() => this.run(), everyMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private run(): void {
    for (const pool of this.pools.all()) for (const replica of pool.replicas) void this.ask(pool, replica);
  }

  private async ask(pool: LivePool, { known, ready, engineVersion }: LiveReplica): Promise<void> {
    const key = `${pool.config.id}/${known.id}`;
    if (this.asking.has(key)) return;
    this.asking.add(key);
    const ratio = ready && known.url !== null ? await this.kvUsage(pool, known.id, known.url) : null;
    this.asking.delete(key);
    const labels = { engine: pool.config.engine.id, engineVersion, poolId: pool.config.id, replicaId: known.id };
    this.metrics.setKvUsage(labels, ratio);
  }

  /** Null: it doesn't say, or doesn't answer. */
  private async kvUsage(pool: LivePool, replicaId: string, url: string): Promise<number | null> {
    const adapter = this.adapters.get(pool.config.engine.id);
    if (adapter?.metrics === undefined) return null;
    try {
      const endpoint = endpointOf(pool, replicaId, url);
      return (await adapter.metrics(endpoint, AbortSignal.timeout(patienceMs))).kvUsageRatio;
    } catch {
      return null;
    }
  }
}
