import { kvRoomOf } from './kv-room.js';
import type { ReplicaSnapshot } from './snapshot.js';
import { compareStandings } from './standing.js';

/** What a task asks of its replica. */
interface Wish {
  /** Null: none knows its session. */
  readonly homeReplicaId: string | null;
  /** Null: any. */
  readonly deviceMask: string | null;
  /** Tokens of context it fills; 0: not known yet. */
  readonly kvTokens: number;
}

const nothing: Wish = { homeReplicaId: null, deviceMask: null, kvTokens: 0 };

/**
 * The replicas of a pool that may take a task, best first, by the order that pools are chosen by: the one where its session ran last, if a
 * slot is free there, then the one that would be done first, most free GPU memory, id. One that is known to lack the memory for the task's KV
 * cache is left out. A session doesn't wait for its replica while another is free. Pure.
 *
 * Speed is measured by pool. Among its replicas one with a free slot is done before one without, and the fewer slots are taken the less a card
 * is shared: so tasks spread over all cards, and memory decides between those that are equally busy.
 */
export function orderReplicas(
  replicas: readonly ReplicaSnapshot[],
  { homeReplicaId, deviceMask, kvTokens }: Wish = nothing,
): ReplicaSnapshot[] {
  return replicas
    .filter((replica) => replica.ready && (deviceMask === null || replica.deviceMask === deviceMask))
    .filter((replica) => kvRoomOf(replica, kvTokens) !== 'lacking')
    .map((replica) => ({ replica, standing: standingOf(replica, homeReplicaId) }))
    .sort((a, b) => compareStandings(a.standing, b.standing))
    .map(({ replica }) => replica);
}

function standingOf({ id, slots, activeLeases, vramFreeBytes }: ReplicaSnapshot, homeReplicaId: string | null) {
  const isBusy = activeLeases >= slots;
  const load = activeLeases / Math.max(1, slots);
  return {
    id,
    isHome: id === homeReplicaId && !isBusy,
    // In no unit: it only says who is first.
    completionMs: isBusy ? 1 + load : load,
    isGuess: false,
    isBusy,
    vramFreeBytes,
    load,
  };
}
