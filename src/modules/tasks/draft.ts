import type { Admission } from '../../contract/task-response.js';
import type { TaskRequest } from '../../contract/task-request.js';
import type { LineView, StartEstimate } from '../admission/index.js';
import type { LogChunk } from '../events/index.js';
import type { LivePool } from '../pools/index.js';
import type { RateTicket } from '../rate-limits/index.js';
import type { Budgets, Reservation, SessionHome } from '../sessions/index.js';
import { backoffMs, placementRecord, streamsOf, type Assigned } from './admission-answer.js';
import { onTime, predictStart } from './predict-start.js';
import type { ReplicaWish } from './start-now.port.js';
import { expectedTokens, kvTokens, type NewTask } from './task-record.js';

export interface SubmitContext {
  readonly correlationId: string;
  readonly identity: string;
  /** Hub whose reader follows from the start; null when nobody reads yet. */
  readonly hubId: string | null;
  /** The caller's rate limits; null where nothing is limited. */
  readonly rate: RateTicket | null;
  /** Where the client gave the task's identity. */
  readonly idField: 'task_id' | 'header.Idempotency-Key';
}

export interface SubmitOutcome {
  readonly admission: Admission;
  /** Event 1, when the log was opened just now with the asker's hub as a follower; else the log must be read. */
  readonly started: LogChunk | null;
  /** What the task's session may still use; null: it belongs to none. */
  readonly left: Budgets | null;
}

/** A request on its way in: what was decided about it so far. */
export interface Draft {
  readonly taskId: string;
  readonly hash: string;
  readonly request: TaskRequest;
  readonly decision: Assigned;
  readonly pool: LivePool;
  readonly context: SubmitContext;
  /** Where its session ran last; null: nowhere, it has none, or it wants to run cold. */
  readonly home: SessionHome | null;
  /** Its turn in its session, from the moment it has one. */
  admitted: Extract<Reservation, { kind: 'reserved' }> | null;
  /** The line as it was looked at for the deadline, and what was predicted from that; null: nobody has looked. */
  foreseen: { readonly view: LineView; readonly start: StartEstimate } | null;
}

/** A condition of admission that takes something for the task, and gives it back when the task is not accepted after all. */
export interface AdmissionGate {
  /** Rejects with an AppError when the task may not enter; then it has taken nothing. */
  enter(draft: Draft): Promise<void>;
  /** Rejects as `enter` would now, notes in the draft what that would, and takes nothing. */
  foresee(draft: Draft): Promise<void>;
  /** The task was refused further on, or it turned out to be a repeat. Never rejects. */
  leave(draft: Draft): Promise<void>;
}

/** What a task asks of the replica it gets. */
export function replicaWish({ request, pool, home }: Pick<Draft, 'request' | 'pool' | 'home'>): ReplicaWish {
  return {
    homeReplicaId: home?.poolId === pool.config.id ? home.replicaId : null,
    deviceMask: request.placement?.require_device_mask ?? null,
    kvTokens: Math.min(kvTokens(request), pool.ctxMax ?? Infinity),
  };
}

/** A line in which nobody waits. */
export const emptyView: LineView = {
  position: 0,
  waiting: { interactive: 0, batch: 0 },
  tokens: { interactive: 0, batch: 0 },
  busySlots: 0,
};

/**
 * The task as it will be accepted.
 * @param view the line as it found it
 * @param startedOn replica on which it begins at once; null: it waits in line
 * @param createdMs Unix ms
 */
export function newTask(
  { taskId, hash, request, decision, pool, context, admitted, foreseen }: Draft,
  view: LineView,
  startedOn: string | null,
  createdMs: number,
): NewTask {
  // A moment ago it was looked at for the deadline: what was judged then is told now, unless the line is another.
  const isForeseen = foreseen !== null && isSameView(foreseen.view, view);
  const start = isForeseen ? foreseen.start : predictStart(pool, view, request.priority, createdMs);
  const { medianMs, p90Ms, model, isKnown } = start;
  const { deadline_ms: deadlineMs } = request;
  const chance = deadlineMs === undefined || !isKnown ? null : onTime(pool, start, expectedTokens(request), deadlineMs);
  return {
    taskId,
    bodyHash: hash,
    correlationId: context.correlationId,
    request,
    engine: pool.config.engine.id,
    poolId: pool.config.id,
    admission: {
      task_id: taskId,
      queue_position: view.position,
      predicted_start_ms: medianMs,
      predicted_start_p90_ms: isKnown ? p90Ms : undefined,
      on_time_probability: chance ?? undefined,
      backoff_ms: backoffMs(pool, view, medianMs),
      pool_id: pool.config.id,
      streams: streamsOf(taskId),
      preparation: { steps: [] },
    },
    placement: placementRecord(decision),
    createdMs,
    deadlineMs: deadlineMs === undefined ? null : createdMs + deadlineMs,
    startedOn,
    turn: admitted?.turn ?? null,
    told:
      model === null
        ? null
        : { since_ms: createdMs, median_ms: medianMs, p90_ms: p90Ms, model_ms: model.ms, spread: model.spread },
  };
}

function isSameView(one: LineView, other: LineView): boolean {
  return (
    one.position === other.position &&
    one.busySlots === other.busySlots &&
    one.waiting.interactive === other.waiting.interactive &&
    one.waiting.batch === other.waiting.batch &&
    one.tokens.interactive === other.tokens.interactive &&
    one.tokens.batch === other.tokens.batch
  );
}
