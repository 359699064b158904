import type { ErrorDetail } from '../../contract/errors.js';
import { bestPool, predictedCompletionMs } from './best-pool.js';
import type { PlacementRequest, PoolSnapshot } from './snapshot.js';

/** A pool as a candidate: feasible or not, and why. */
export interface Candidate {
  readonly poolId: string;
  readonly feasible: boolean;
  readonly reasons: readonly string[];
}

export type Decision =
  | {
      readonly kind: 'assigned';
      readonly poolId: string;
      readonly pinned: boolean;
      /** The task asked for other pools first and got this one. */
      readonly fallback: boolean;
      readonly reasons: readonly string[];
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

/** Why a pool can't take a task. `unready` passes with time; the others don't. */
interface Obstacle {
  readonly kind: 'model' | 'engine' | 'avoided' | 'mask' | 'ctx' | 'unready';
  readonly text: string;
}

/** What a pool must fulfil to take a task; `obstacle` says what is wrong, null when nothing is. */
interface Rule {
  readonly kind: Obstacle['kind'];
  readonly obstacle: (request: PlacementRequest, pool: PoolSnapshot) => string | null;
}

const rules: readonly Rule[] = [
  {
    kind: 'model',
    obstacle: ({ modelRef }, { modelNames }) =>
      modelNames.includes(modelRef) ? null : `it serves ${modelNames[0] ?? 'no model'}`,
  },
  {
    kind: 'engine',
    obstacle: (request, { engine }) =>
      [undefined, engine].includes(request.engine) ? null : `its engine is ${engine}`,
  },
  {
    kind: 'avoided',
    obstacle: ({ wish }, { id }) => (wish?.avoid_pools?.includes(id) ? 'the task avoids it' : null),
  },
  {
    kind: 'mask',
    obstacle: ({ wish }, { deviceMasks }) => {
      const mask = wish?.require_device_mask;
      return mask === undefined || deviceMasks.includes(mask) ? null : `no replica has the device mask ${mask}`;
    },
  },
  {
    kind: 'ctx',
    obstacle: ({ ctxNeeded }, { ctxMax }) =>
      ctxMax === null || ctxNeeded <= ctxMax
        ? null
        : `the task needs ${ctxNeeded} tokens of context, the model has ${ctxMax}`,
  },
  {
    kind: 'unready',
    obstacle: (_, { ready, unreadyReason }) => (ready ? null : (unreadyReason ?? 'it is not ready')),
  },
];

/**
 * Picks the pool for a task. Pure: the same request and snapshots always give the same answer. Feasibility comes first; among feasible
 * pools the one predicted to finish first, then most free VRAM, fewest active slots, id.
 */
export function decide(request: PlacementRequest, snapshots: readonly PoolSnapshot[]): Decision {
  const wish = request.wish;
  if (wish?.mode === 'pin') return decidePinned(request, snapshots, wish.pin_pool_id ?? '');
  const judged = snapshots.map((pool) => ({ pool, obstacles: obstaclesOf(request, pool) }));
  const candidates = judged.map(candidateOf);
  const feasible = judged.filter(({ obstacles }) => obstacles.length === 0).map(({ pool }) => pool);
  const preferred = wish?.mode === 'prefer' ? (wish.prefer_pools ?? []) : [];
  const first = feasible
    .filter((pool) => preferred.includes(pool.id))
    .sort((a, b) => preferred.indexOf(a.id) - preferred.indexOf(b.id))[0];
  if (first !== undefined)
    return assigned(first, ['it is the first preferred pool that can take the task'], { candidates });
  const isFallback = preferred.length > 0;
  if (isFallback && wish?.allow_fallback === false) {
    const inPreferred = judged.filter(({ pool }) => preferred.includes(pool.id));
    return nothing(
      request,
      inPreferred,
      candidates,
      'None of the preferred pools can take the task, and falling back is not allowed.',
    );
  }
  const best = bestPool(request, feasible);
  if (best === undefined) return nothing(request, judged, candidates, null);
  return assigned(best, reasonsFor(request, best, feasible.length), { fallback: isFallback, candidates });
}

function decidePinned(request: PlacementRequest, snapshots: readonly PoolSnapshot[], pinId: string): Decision {
  const pool = snapshots.find(({ id }) => id === pinId);
  const field = 'placement.pin_pool_id';
  if (pool === undefined)
    return refused(
      'INVALID_PARAMS',
      `${field}: there is no pool of that name`,
      null,
      [{ field, problem: 'there is no pool of that name' }],
      [],
    );
  const obstacles = obstaclesOf(request, pool);
  const candidates = [candidateOf({ pool, obstacles })];
  const lasting = obstacles.filter(({ kind }) => kind !== 'unready');
  if (lasting.length > 0) {
    const details = lasting.map(({ kind, text }) => ({
      field: kind === 'ctx' ? request.ctxField : field,
      problem: text,
    }));
    return refused(
      'INVALID_PARAMS',
      `The pinned pool can't take the task: ${lasting.map(({ text }) => text).join('; ')}.`,
      pool.id,
      details,
      candidates,
    );
  }
  if (obstacles.length > 0)
    return refused(
      'POOL_UNREADY',
      `The pinned pool is not ready: ${pool.unreadyReason ?? 'try again soon'}.`,
      pool.id,
      [],
      candidates,
    );
  return assigned(pool, ['the task is pinned to it'], { pinned: true, candidates });
}

function obstaclesOf(request: PlacementRequest, pool: PoolSnapshot): Obstacle[] {
  return rules.flatMap(({ kind, obstacle }) => {
    const text = obstacle(request, pool);
    return text === null ? [] : [{ kind, text }];
  });
}

function candidateOf({ pool, obstacles }: { pool: PoolSnapshot; obstacles: readonly Obstacle[] }): Candidate {
  return { poolId: pool.id, feasible: obstacles.length === 0, reasons: obstacles.map(({ text }) => text) };
}

function reasonsFor(request: PlacementRequest, pool: PoolSnapshot, feasible: number): string[] {
  if (feasible === 1) return ['it is the only pool that can take the task'];
  const predicted = predictedCompletionMs(request, pool);
  return [
    predicted === null
      ? 'it has the most room among the pools that can take the task'
      : `it is predicted to finish first, in about ${Math.round(predicted)} ms`,
  ];
}

function assigned(
  pool: PoolSnapshot,
  reasons: readonly string[],
  rest: { readonly pinned?: boolean; readonly fallback?: boolean; readonly candidates: readonly Candidate[] },
): Decision {
  return {
    kind: 'assigned',
    poolId: pool.id,
    pinned: rest.pinned ?? false,
    fallback: rest.fallback ?? false,
    reasons,
    candidates: rest.candidates,
  };
}

function nothing(
  request: PlacementRequest,
  judged: readonly { pool: PoolSnapshot; obstacles: readonly Obstacle[] }[],
  candidates: readonly Candidate[],
  lead: string | null,
): Decision {
  const withModel = judged.filter(
    ({ obstacles }) =>
      !obstacles.some(({ kind }) => kind === 'model' || kind === 'engine' || kind === 'avoided' || kind === 'mask'),
  );
  if (withModel.length === 0)
    return refused('POOL_UNAVAILABLE', lead ?? unavailableMessage(request, judged), null, [], candidates);
  const fitting = withModel.filter(({ obstacles }) => !obstacles.some(({ kind }) => kind === 'ctx'));
  if (fitting.length === 0) {
    const largest = Math.max(...withModel.map(({ pool }) => pool.ctxMax ?? 0));
    const problem = `the task needs ${request.ctxNeeded} tokens of context, the largest pool has ${largest}`;
    const field = request.ctxField;
    return refused('INVALID_PARAMS', `${field}: ${problem}`, null, [{ field, problem }], candidates);
  }
  const pool = fitting[0]?.pool;
  return refused(
    'POOL_UNREADY',
    lead ?? `The pool is not ready: ${pool?.unreadyReason ?? 'try again soon'}.`,
    pool?.id ?? null,
    [],
    candidates,
  );
}

function unavailableMessage(request: PlacementRequest, judged: readonly { pool: PoolSnapshot }[]): string {
  const names = [...new Set(judged.flatMap(({ pool }) => pool.modelNames))];
  if (names.length === 0) return 'No pool is configured: add one under `pools` in the configuration.';
  const isServed = names.includes(request.modelRef);
  if (isServed)
    return `No pool that serves ${request.modelRef} fits the engine and placement asked for; see GET /v2/pools.`;
  return `No pool serves ${request.modelRef}. Served: ${names.slice(0, 20).join(', ')}.`;
}

function refused(
  code: 'INVALID_PARAMS' | 'POOL_UNREADY' | 'POOL_UNAVAILABLE',
  message: string,
  poolId: string | null,
  details: readonly ErrorDetail[],
  candidates: readonly Candidate[],
): Decision {
  return { kind: 'none', code, message, poolId, details, candidates };
}
