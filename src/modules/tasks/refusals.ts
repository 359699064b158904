import type { Priority } from '../../contract/common.js';
import { AppError } from '../../platform/errors/app-error.js';
import type { LineView } from '../admission/index.js';
import type { Decision } from '../placement/index.js';
import type { LivePool } from '../pools/index.js';
import { roomMs, type RoomBounds } from './predict-start.js';
import type { SubmitContext } from './draft.js';

const unreadyRetryMs = 2000;

/** Placement found no pool. @param pool the one it would have taken; null: none */
export function noPool(
  { code, message, poolId, details }: Extract<Decision, { kind: 'none' }>,
  pool: LivePool | null,
): AppError {
  if (code === 'POOL_UNREADY' && pool !== null && pool.circuitOpenMs !== null) return circuitIsOpen(pool, message);
  return new AppError(code, message, {
    ...(poolId !== null && { poolId }),
    ...(details.length > 0 && { details }),
    ...(code === 'POOL_UNREADY' && { retryAfterMs: unreadyRetryMs }),
  });
}

/** Its engines answer, and fail every task. */
function circuitIsOpen(pool: LivePool, message: string): AppError {
  return new AppError('POOL_UNAVAILABLE', message, {
    engine: pool.config.engine.id,
    poolId: pool.config.id,
    retryAfterMs: Math.max(1, pool.circuitOpenMs ?? 0),
  });
}

/** The pool that placement chose is not configured any more. */
export function poolVanished(): AppError {
  return new AppError('POOL_UNAVAILABLE', 'The pool was taken out of service just now; try again.');
}

/** The line of the pool has no room. */
export class LineFull extends AppError {}

/** No place in line, and nobody who may be dropped for it; says when one should come free. */
export function lineIsFull(
  pool: LivePool,
  view: LineView,
  priority: Priority,
  bounds: RoomBounds,
  nowMs: number,
): LineFull {
  const waiting = view.waiting.interactive + view.waiting.batch;
  const policy = pool.config.queue.full_policy;
  const why =
    waiting === 0
      ? `All slots of the pool are taken, and no ${priority} task may wait for one.`
      : `The queue of the pool is full for ${priority} tasks: ${waiting} ${waiting === 1 ? 'waits' : 'wait'}.`;
  const message = `${why} Try again later, or use another pool.`;
  return new LineFull(policy === 'drop-lru' ? 'QUEUE_FULL_DROP_LRU' : 'ADMISSION_REJECT', message, {
    retryAfterMs: roomMs(pool, view, priority, bounds, nowMs),
    policyLabel: policy,
    engine: pool.config.engine.id,
    poolId: pool.config.id,
  });
}

export function deadlinePassed(): AppError {
  const details = [{ field: 'deadline_ms', problem: 'must lie in the future' }];
  return new AppError('DEADLINE_UNMET', 'deadline_ms: must lie in the future', { details });
}

/** The deadline is out of reach. @param earliestMs deadline that half of such tasks would meet */
export function deadlineUnmet(pool: LivePool, deadlineMs: number, earliestMs: number): AppError {
  const problem = `is too soon: the earliest feasible now is ${earliestMs}`;
  const message = `A deadline of ${deadlineMs} ms can't be met: the earliest feasible now is ${earliestMs} ms. Allow more time, or ask for fewer tokens.`;
  return new AppError('DEADLINE_UNMET', message, {
    retriable: true,
    engine: pool.config.engine.id,
    poolId: pool.config.id,
    details: [{ field: 'deadline_ms', problem, earliest_feasible_ms: earliestMs }],
  });
}

/** The id is taken by another request. */
export function conflict(field: SubmitContext['idField']): never {
  const name = field.replace('header.', '');
  const message = `Another request was accepted under this ${name}. Use a new ${name}, or send the same body.`;
  throw new AppError('CONFLICT', message, { details: [{ field, problem: 'is taken by a different request' }] });
}
