import { kvRoomTokens, orderReplicas } from '../placement/index.js';
import type { LivePool } from '../pools/index.js';
import { replicaSnapshots, type ReplicaWish } from '../tasks/index.js';
import type { Claimed, ClaimableReplica } from './claim-task.js';

/** The ready replicas of a pool that a claimed task could go on with. @param tried those it has failed on */
export function candidatesFor(pool: LivePool, { deviceMask }: Claimed, tried: ReadonlySet<string>): ClaimableReplica[] {
  return candidates(pool, tried, { homeReplicaId: null, deviceMask, kvTokens: 0 });
}

/** The ready replicas of a pool that a task has not failed on yet, best first. Which of them a waiting task may have the claim itself looks up. */
export function candidates(pool: LivePool, tried: ReadonlySet<string>, wish?: ReplicaWish): ClaimableReplica[] {
  return orderReplicas(replicaSnapshots(pool), wish)
    .filter(({ id }) => !tried.has(id))
    .map((replica) => ({ ...replica, kvRoomTokens: kvRoomTokens(replica, pool.ctxMax) }));
}

/**
 * The replica on which a task may begin at once, as of the last look at the slots; null: none, or it must take the way through the queue. A
 * session's replica that was seen full may be free by now: only the claim knows, so it chooses.
 */
export function replicaToStartOn(pool: LivePool, wish: ReplicaWish): string | null {
  const [best, ...others] = candidates(pool, new Set(), wish).map(({ id }) => id);
  return best === undefined || others.includes(wish.homeReplicaId ?? '') ? null : best;
}
