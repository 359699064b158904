import type { ErrorDetail } from '../../contract/errors.js';
import { obstaclesOf, isPassing, type Obstacle } from './obstacles.js';
import { memoryDoubt } from './kv-room.js';
import { rankPools, scoreOf, type Ranked } from './rank.js';
import { noneCanTake, refused, type Judged } from './refusal.js';
import type { PlacementRequest, PoolSnapshot } from './snapshot.js';
import { meritOver } from './standing.js';

/** A pool as a candidate: feasible or not, and why; why a better one was taken. */
export interface Candidate {
  readonly poolId: string;
  readonly feasible: boolean;
  readonly reasons: readonly string[];
  /** 0 to 1, the better the higher; null where infeasible. Compares pools within one decision, ties are broken as `reasons` say. */
  readonly score: number | null;
  /** When the task would be done there, ms from now; null: infeasible, or nothing was measured. */
  readonly completionMs: number | null;
}

export type Decision =
  | {
      readonly kind: 'assigned';
      readonly poolId: string;
      readonly pinned: boolean;
      /** The task asked for other pools first and got this one. */
      readonly fallback: boolean;
      readonly reasons: readonly string[];
      /** The chosen one first, then the other feasible ones, best first, then the rest by id. */
      readonly candidates: readonly Candidate[];
    }
  | {
      readonly kind: 'none';
      readonly code: 'INVALID_PARAMS' | 'POOL_UNREADY' | 'POOL_UNAVAILABLE';
      readonly message: string;
      readonly poolId: string | null;
      readonly details: readonly ErrorDetail[];
      readonly candidates: readonly Candidate[];
    };

/**
 * Picks the pool for a task. Pure: the same request and snapshots always give the same answer, in whatever order the snapshots come. What
 * can't take the task is left out; of the rest the preferred ones come first in their order, then all by `compareStandings`: where its session
 * ran last, predicted completion, free GPU memory, taken slots, id.
 */
export function decide(request: PlacementRequest, snapshots: readonly PoolSnapshot[]): Decision {
  const { wish } = request;
  if (wish?.mode === 'pin') return decidePinned(request, snapshots, wish.pin_pool_id ?? '');
  const judged = snapshots
    .map((pool) => ({ pool, obstacles: obstaclesOf(request, pool) }))
    .sort((a, b) => (a.pool.id < b.pool.id ? -1 : 1));
  const ranked = rankPools(request, feasibleOf(judged));
  if (wish?.mode === 'prefer') return decidePreferred(request, ranked, judged, wish.prefer_pools ?? []);
  return chooseBest(request, ranked, judged);
}

function chooseBest(
  request: PlacementRequest,
  ranked: readonly Ranked[],
  judged: readonly Judged[],
  fallback = false,
): Decision {
  const [best, next] = ranked;
  if (best === undefined)
    return { ...noneCanTake(request, judged, null), candidates: candidatesOf(request, [], judged, null) };
  const merit = ({ standing }: Ranked): string => meritOver(best.standing, standing);
  const reason = next === undefined ? 'it is the only pool that can take the task' : merit(next);
  return assigned(request, best, reason, { fallback, candidates: candidatesOf(request, ranked, judged, merit) });
}

function decidePreferred(
  request: PlacementRequest,
  ranked: readonly Ranked[],
  judged: readonly Judged[],
  preferred: readonly string[],
): Decision {
  const asked = preferred.flatMap((id) => ranked.find(({ pool }) => pool.id === id) ?? []);
  const [first] = asked;
  if (first !== undefined) {
    const reason = 'it is the first preferred pool that can take the task';
    const candidates = candidatesOf(request, [...new Set([...asked, ...ranked])], judged, () => reason);
    return assigned(request, first, reason, { candidates });
  }
  if (request.wish?.allow_fallback !== false) return chooseBest(request, ranked, judged, true);
  const lead = 'None of the preferred pools can take the task, and falling back is not allowed.';
  const wanted = judged.filter(({ pool }) => preferred.includes(pool.id));
  return { ...noneCanTake(request, wanted, lead), candidates: candidatesOf(request, ranked, judged, null) };
}

function decidePinned(request: PlacementRequest, snapshots: readonly PoolSnapshot[], pinId: string): Decision {
  if (!request.mayPin) {
    const [mode, forbidden] = ['placement.mode', 'pinning is not allowed here (policy.allow_pin is false)'];
    const details = [{ field: mode, problem: forbidden }];
    return { ...refused('INVALID_PARAMS', `${mode}: ${forbidden}`, { details }), candidates: [] };
  }
  const pool = snapshots.find(({ id }) => id === pinId);
  const field = 'placement.pin_pool_id';
  if (pool === undefined) {
    const problem = 'there is no pool of that name';
    return {
      ...refused('INVALID_PARAMS', `${field}: ${problem}`, { details: [{ field, problem }] }),
      candidates: [],
    };
  }
  const judged = [{ pool, obstacles: obstaclesOf(request, pool) }];
  const obstacles = judged.flatMap((one) => one.obstacles);
  const ranked = rankPools(request, feasibleOf(judged));
  const candidates = candidatesOf(request, ranked, judged, null);
  const [best] = ranked;
  if (best !== undefined) return assigned(request, best, 'the task is pinned to it', { pinned: true, candidates });
  return { ...pinRefused(pool, obstacles, field), candidates };
}

function pinRefused(pool: PoolSnapshot, obstacles: readonly Obstacle[], field: string) {
  const lasting = obstacles.filter((obstacle) => !isPassing(obstacle));
  const shown = lasting.length > 0 ? lasting : obstacles;
  const why = shown.map(({ text }) => text).join('; ');
  if (lasting.length === 0)
    return refused('POOL_UNREADY', `The pinned pool is not ready: ${why}.`, { poolId: pool.id });
  const details = lasting.map((obstacle) => ({ field: obstacle.field ?? field, problem: obstacle.text }));
  return refused('INVALID_PARAMS', `The pinned pool can't take the task: ${why}.`, { poolId: pool.id, details });
}

function feasibleOf(judged: readonly Judged[]): PoolSnapshot[] {
  return judged.filter(({ obstacles }) => obstacles.length === 0).map(({ pool }) => pool);
}

/** @param why in words, why the first of `ranked` was taken over another; null: none was taken */
function candidatesOf(
  request: PlacementRequest,
  ranked: readonly Ranked[],
  judged: readonly Judged[],
  why: ((other: Ranked) => string) | null,
): Candidate[] {
  const [best] = ranked;
  const able = best === undefined ? [] : ranked.map((one) => candidateOf(request, one, best, why));
  const rest = judged.filter(({ obstacles }) => obstacles.length > 0);
  return [
    ...able,
    ...rest.map(({ pool, obstacles }) => {
      const reasons = obstacles.map(({ text }) => text);
      return { poolId: pool.id, feasible: false, reasons, score: null, completionMs: null };
    }),
  ];
}

function candidateOf(
  request: PlacementRequest,
  one: Ranked,
  best: Ranked,
  why: ((other: Ranked) => string) | null,
): Candidate {
  const { pool, standing } = one;
  const passed = one === best || why === null ? [] : [`${best.pool.id} was taken: ${why(one)}`];
  const doubt = memoryDoubt(request, pool);
  const reasons = doubt === null ? passed : [...passed, doubt];
  const completionMs = standing.isGuess ? null : standing.completionMs;
  return { poolId: pool.id, feasible: true, reasons, score: scoreOf(one, best), completionMs };
}

function assigned(
  request: PlacementRequest,
  { pool }: Ranked,
  reason: string,
  rest: { readonly pinned?: boolean; readonly fallback?: boolean; readonly candidates: readonly Candidate[] },
): Decision {
  const { pinned = false, fallback = false, candidates } = rest;
  const doubt = memoryDoubt(request, pool);
  const reasons = doubt === null ? [reason] : [reason, doubt];
  return { kind: 'assigned', poolId: pool.id, pinned, fallback, reasons, candidates };
}
