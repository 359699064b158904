import type { PlacementRequest, PoolSnapshot } from './snapshot.js';

/**
 * The best of the pools that can take a task; undefined for none. Pure, and the order of the snapshots doesn't matter: the one predicted to
 * finish first, then most free VRAM, fewest active slots, id. A pool that nobody has measured yet is tried when the best measured one is busy.
 */
export function bestPool(request: PlacementRequest, feasible: readonly PoolSnapshot[]): PoolSnapshot | undefined {
  const predicted = new Map(feasible.map((pool) => [pool, predictedCompletionMs(request, pool)]));
  const measured = feasible.filter((pool) => predicted.get(pool) !== null);
  const unmeasured = feasible.filter((pool) => predicted.get(pool) === null);
  const [known] = measured.sort((a, b) => (predicted.get(a) ?? 0) - (predicted.get(b) ?? 0) || roomiest(a, b));
  const [unknown] = unmeasured.sort(roomiest);
  if (known === undefined || unknown === undefined) return known ?? unknown;
  return isBusy(known) && !isBusy(unknown) ? unknown : known;
}

/** Milliseconds until the task would be done, as far as was measured; null before. */
export function predictedCompletionMs(request: PlacementRequest, pool: PoolSnapshot): number | null {
  if (pool.tokensPerS === null || pool.firstTokenMs === null || pool.tokensPerS <= 0) return null;
  const own = pool.firstTokenMs + (request.expectedTokens / pool.tokensPerS) * 1000;
  if (!isBusy(pool)) return own;
  return own + ((pool.tokensWaiting / pool.tokensPerS) * 1000 + own / 2) / Math.max(1, pool.slots);
}

function roomiest(a: PoolSnapshot, b: PoolSnapshot): number {
  return (
    Number(isBusy(a)) - Number(isBusy(b)) ||
    (b.vramFreeBytes ?? -1) - (a.vramFreeBytes ?? -1) ||
    load(a) - load(b) ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

const isBusy = (pool: PoolSnapshot): boolean => load(pool) >= pool.slots;
const load = (pool: PoolSnapshot): number => pool.activeLeases + pool.waiting;
