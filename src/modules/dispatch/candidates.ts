import { orderReplicas } from '../placement/index.js';
import type { LivePool } from '../pools/index.js';
import { replicaSnapshots } from '../tasks/index.js';
import type { ClaimableReplica } from './claim-task.js';

/** The ready replicas of a pool that a task has not failed on yet, best first. */
export function candidates(pool: LivePool, tried: ReadonlySet<string>): ClaimableReplica[] {
  return orderReplicas(replicaSnapshots(pool).filter(({ id }) => !tried.has(id)));
}
