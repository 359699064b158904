import type { PlacementRequest, PoolSnapshot } from './snapshot.js';
import { compareStandings, type Standing } from './standing.js';

/** A pool that can take the task, and how it stands. */
export interface Ranked {
  readonly pool: PoolSnapshot;
  readonly standing: Standing;
}

/**
 * The pools that can take a task, best first. A pool that nobody has measured yet counts as slow as the slowest measured one: it is tried
 * when the others have so much to do that it would be done sooner all the same.
 */
export function rankPools(request: PlacementRequest, feasible: readonly PoolSnapshot[]): Ranked[] {
  const runs = feasible.flatMap(({ predicted }) => (predicted === null ? [] : [predicted.runMs]));
  const slowestMs = runs.length === 0 ? null : runs.reduce((most, runMs) => Math.max(most, runMs));
  return feasible
    .map((pool) => ({ pool, standing: standingOf(request, pool, slowestMs) }))
    .sort((a, b) => compareStandings(a.standing, b.standing));
}

/** How good a choice a pool is beside the best one, 0 to 1: the time until the task would be done there over its own; else free slots. */
export function scoreOf({ standing }: Ranked, best: Ranked): number {
  const [own, least] = [standing.completionMs, best.standing.completionMs];
  if (own === null || least === null) return rounded(Math.max(0, 1 - standing.load));
  // The best one may be best for another reason.
  return own <= 0 ? 1 : rounded(Math.min(1, least / own));
}

function standingOf({ affinity, wish }: PlacementRequest, pool: PoolSnapshot, slowestMs: number | null): Standing {
  const { id, predicted, waiting } = pool;
  const { slots, active, vramFreeBytes } = capacityOf(pool, wish?.require_device_mask);
  const isBusy = active + waiting >= slots;
  const guessMs = slowestMs === null ? null : slowestMs * (isBusy ? 1 + (waiting + 1) / Math.max(1, slots) : 1);
  return {
    id,
    isHome: affinity?.poolId === id,
    completionMs: predicted === null ? guessMs : predicted.startMs + predicted.runMs,
    isGuess: predicted === null && guessMs !== null,
    isBusy,
    vramFreeBytes,
    load: (active + waiting) / Math.max(1, slots),
  };
}

/** What the replicas that may have the task offer together. */
function capacityOf({ replicas }: PoolSnapshot, mask: string | undefined) {
  let slots = 0;
  let active = 0;
  let vramFreeBytes: number | null = null;
  for (const replica of replicas) {
    if (!replica.ready || (mask !== undefined && replica.deviceMask !== mask)) continue;
    slots += replica.slots;
    active += replica.activeLeases;
    if (replica.vramFreeBytes !== null) vramFreeBytes = Math.max(vramFreeBytes ?? 0, replica.vramFreeBytes);
  }
  return { slots, active, vramFreeBytes };
}

function rounded(share: number): number {
  return Math.round(share * 1000) / 1000;
}
