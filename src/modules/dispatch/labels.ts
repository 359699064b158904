import type { ReplicaLabels } from '../../platform/observability/metrics.js';
import type { RunView } from './run-view.js';

/** What a run is counted under. */
export function labelsOf({ pool, claim }: RunView): ReplicaLabels {
  const { config, replicas } = pool;
  const engineVersion = replicas.find(({ known }) => known.id === claim.replicaId)?.engineVersion ?? null;
  return { engine: config.engine.id, engineVersion, poolId: config.id, replicaId: claim.replicaId };
}
