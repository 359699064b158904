import type { PoolRegistry } from '../../modules/pools/index.js';
import type { Metrics } from '../../platform/observability/metrics.js';

/** Drops the metrics of replicas that are bound no more: ids that come and go at run time must not pile up. */
export function forgetSeries(pools: PoolRegistry, metrics: Metrics): void {
  const known = new Map<string, ReadonlySet<string>>();
  pools.onChange((poolId) => {
    const now = new Set((pools.find(poolId)?.replicas ?? []).map((replica) => replica.known.id));
    for (const id of known.get(poolId) ?? []) if (!now.has(id)) void metrics.forgetReplica(poolId, id);
    known.set(poolId, now);
  });
}
