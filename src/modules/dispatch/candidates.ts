import { orderReplicas } from '../placement/index.js';
import type { LivePool } from '../pools/index.js';
import type { ClaimableReplica } from './claim-task.js';

/** The ready replicas of a pool that a task has not failed on yet, best first. */
export function candidates(pool: LivePool, tried: ReadonlySet<string>): ClaimableReplica[] {
  const replicas = pool.replicas.map((replica) => ({
    id: replica.known.id,
    ready: replica.ready && !tried.has(replica.known.id),
    slots: replica.slots,
    activeLeases: pool.leases.get(replica.known.id) ?? 0,
    vramFreeBytes: null,
  }));
  return orderReplicas(replicas);
}
