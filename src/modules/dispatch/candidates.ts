import { kvRoomTokens, orderReplicas } from '../placement/index.js';
import type { LivePool } from '../pools/index.js';
import { replicaSnapshots, type ReplicaWish } from '../tasks/index.js';
import type { ClaimableReplica } from './claim-task.js';

/** The ready replicas of a pool that a task has not failed on yet, best first. Which of them a waiting task may have the claim itself looks up. */
export function candidates(pool: LivePool, tried: ReadonlySet<string>, wish?: ReplicaWish): ClaimableReplica[] {
  return orderReplicas(replicaSnapshots(pool), wish)
    .filter(({ id }) => !tried.has(id))
    .map((replica) => ({ ...replica, kvRoomTokens: kvRoomTokens(replica, pool.ctxMax) }));
}
