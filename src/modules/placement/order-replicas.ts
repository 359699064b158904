import type { ReplicaSnapshot } from './snapshot.js';
import { compareStandings } from './standing.js';

/**
 * The replicas of a pool that may take a task, best first, by the order that pools are chosen by: the one where its session ran last, then
 * one with a free slot (it would be done first: speed is measured by pool), most free GPU memory, smallest share of taken slots, id. Pure.
 */
export function orderReplicas(
  replicas: readonly ReplicaSnapshot[],
  homeReplicaId: string | null = null,
): ReplicaSnapshot[] {
  return replicas
    .filter(({ ready }) => ready)
    .map((replica) => ({ replica, standing: standingOf(replica, homeReplicaId) }))
    .sort((a, b) => compareStandings(a.standing, b.standing))
    .map(({ replica }) => replica);
}

function standingOf({ id, slots, activeLeases, vramFreeBytes }: ReplicaSnapshot, homeReplicaId: string | null) {
  return {
    id,
    isHome: id === homeReplicaId,
    completionMs: null,
    isGuess: false,
    isBusy: activeLeases >= slots,
    vramFreeBytes,
    load: activeLeases / Math.max(1, slots),
  };
}
