import type { ReplicaSnapshot } from './snapshot.js';

/** The replicas of a pool that may take a task, best first: most free VRAM, fewest active slots, id. Pure. */
export function orderReplicas(replicas: readonly ReplicaSnapshot[]): ReplicaSnapshot[] {
  return replicas
    .filter(({ ready }) => ready)
    .sort(
      (a, b) =>
        (b.vramFreeBytes ?? -1) - (a.vramFreeBytes ?? -1) ||
        a.activeLeases / Math.max(1, a.slots) - b.activeLeases / Math.max(1, b.slots) ||
        (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
    );
}
