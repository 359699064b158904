import type { Admission, PlacementRecord } from '../../contract/task-response.js';
import type { TaskRequest } from '../../contract/task-request.js';
import type { Clock } from '../../platform/clock/clock.js';
import { AppError } from '../../platform/errors/app-error.js';
import { newUuid } from '../../platform/ids/uuid.js';
import { estimateStartMs, type Deadlines, type Line, type LineBounds, type LineGauge, type LineView, type PoolQueues } from '../admission/index.js';
import type { EventLog } from '../events/index.js';
import type { Decision } from '../placement/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import { bodyHash } from './body-hash.js';
import { openTask } from './open-task.js';
import { placeTask } from './place-task.js';
import { expectedTokens, type NewTask } from './task-record.js';
import type { TasksRepository } from './tasks.repository.js';
import type { TasksTelemetry } from './tasks.telemetry.js';

export interface SubmitContext {
  readonly correlationId: string;
  readonly identity: string;
  /** Hub whose reader follows from the start; null when nobody reads yet. */
  readonly hubId: string | null;
}

export interface SubmitOutcome {
  readonly admission: Admission;
  /** False: the same request was accepted before, and nothing was enqueued. */
  readonly isNew: boolean;
}

export interface SubmitCollaborators {
  readonly pools: PoolRegistry;
  readonly line: Line;
  readonly gauge: LineGauge;
  readonly deadlines: Deadlines;
  readonly queues: PoolQueues;
  readonly log: EventLog;
  readonly tasks: TasksRepository;
  readonly telemetry: TasksTelemetry;
  readonly clock: Clock;
}

/**
 * Accepts a task: place in line first (exact bounds), then the row (from here on it is kept), then the log and the offer to the workers.
 * A crash after the first step leaks a place that the reconciler gives back; a crash after the second is completed by it.
 */
export class SubmitTask {
  constructor(private readonly with_: SubmitCollaborators) {}

  /** Rejects with an AppError of DESIGN §4 when the task is refused. Nothing is enqueued then. */
  async run(request: TaskRequest, context: SubmitContext): Promise<SubmitOutcome> {
    const { telemetry } = this.with_;
    try {
      return await this.admit(request, context);
    } catch (error) {
      telemetry.refused(error, context);
      throw error;
    }
  }

  private async admit(request: TaskRequest, context: SubmitContext): Promise<SubmitOutcome> {
    const { pools, line, telemetry, gauge } = this.with_;
    const taskId = request.task_id ?? newUuid();
    // Nobody can repeat an id that the server has just made up.
    const hash = request.task_id === undefined ? '' : bodyHash(request);
    if (request.task_id !== undefined) {
      const before = await this.answerBefore(taskId, hash);
      if (before !== null) return before;
    }
    if (request.deadline_ms !== undefined && request.deadline_ms <= 0) throw deadlinePassed();
    const decision = placeTask(request, pools, gauge);
    telemetry.placed(decision);
    const pool = chosenPool(decision, pools);
    const entry = { taskId, poolId: pool.config.id, priority: request.priority, expectedTokens: expectedTokens(request) };
    const { kind, view } = await line.enter(entry, lineBounds(pool, request, pools));
    if (kind === 'full') {
      telemetry.pushedBack(pool);
      throw lineIsFull(pool, view, request);
    }
    const task = this.newTask(taskId, hash, request, pool, view, decision, context);
    const isNew = await this.insert(task, kind === 'entered');
    if (!isNew) return (await this.answerBefore(taskId, hash)) ?? conflict();
    await this.open(task, context);
    telemetry.accepted(task, pool, context);
    return { admission: task.admission, isNew: true };
  }

  private newTask(
    taskId: string,
    hash: string,
    request: TaskRequest,
    pool: LivePool,
    view: LineView,
    decision: Decision,
    context: SubmitContext,
  ): NewTask {
    const createdMs = this.with_.clock.now();
    const predictedStartMs = predictStart(pool, view, request);
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
        predicted_start_ms: predictedStartMs,
        backoff_ms: backoffMs(pool, view, predictedStartMs),
        pool_id: pool.config.id,
        streams: streamsOf(taskId),
        preparation: { steps: [] },
      },
      placement: placementRecord(decision, pool.config.id),
      createdMs,
      deadlineMs: request.deadline_ms === undefined ? null : createdMs + request.deadline_ms,
    };
  }

  private async insert(task: NewTask, hasEntered: boolean): Promise<boolean> {
    try {
      return await this.with_.tasks.insert(task);
    } catch (error) {
      if (hasEntered) await this.with_.line.leave(task.poolId, task.taskId).catch(() => undefined);
      throw error;
    }
  }

  /** The task is accepted already: when Redis fails here, the reconciler opens it as soon as Redis is back. */
  private async open(task: NewTask, context: SubmitContext): Promise<void> {
    const { queues, log, telemetry, deadlines } = this.with_;
    const queue = queues.of(task.poolId);
    if (queue === null) return;
    const open = { ...task, state: 'queued', priority: task.request.priority, attempts: 0 } as const;
    try {
      await openTask(open, { log, queue, deadlines }, context.hubId);
    } catch (error) {
      telemetry.leftToReconciler(task, error);
    }
  }

  private async answerBefore(taskId: string, hash: string): Promise<SubmitOutcome | null> {
    const before = await this.with_.tasks.acceptedBefore(taskId);
    if (before === null) return null;
    if (before.bodyHash !== hash) conflict();
    return { admission: before.admission, isNew: false };
  }
}

/** Paths of a task's event stream. */
export function streamsOf(taskId: string): Admission['streams'] {
  return { sse: `/v2/tasks/${taskId}/events`, sse_verbose: `/v2/tasks/${taskId}/events?verbose=true` };
}

/** Bounds of a pool's line for a request. */
export function lineBounds(pool: LivePool, request: Pick<TaskRequest, 'priority'>, pools: PoolRegistry): LineBounds {
  const { queue, admission } = pool.config;
  const ofClass = admission.priorities.find(({ name }) => name === request.priority)?.queue_capacity;
  return { capacity: queue.capacity, classCapacity: ofClass ?? null, slots: pool.slots, ...pools.keysOf(pool) };
}

function chosenPool(decision: Decision, pools: PoolRegistry): LivePool {
  if (decision.kind === 'none') {
    const { code, message, poolId, details } = decision;
    const retryAfterMs = code === 'POOL_UNREADY' ? 2000 : undefined;
    throw new AppError(code, message, {
      ...(poolId !== null && { poolId }),
      ...(details.length > 0 && { details }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  const pool = pools.find(decision.poolId);
  if (pool === null) throw new AppError('POOL_UNAVAILABLE', 'The pool was taken out of service just now; try again.');
  return pool;
}

function predictStart(pool: LivePool, view: LineView, request: Pick<TaskRequest, 'priority'>): number {
  const ahead = request.priority === 'batch' ? view.tokens.interactive + view.tokens.batch : view.tokens.interactive;
  return estimateStartMs({
    position: view.position,
    slots: pool.slots,
    freeSlots: Math.max(0, pool.slots - view.busySlots),
    tokensAhead: ahead,
    tokensPerS: pool.perf.tokensPerS,
    firstTokenMs: pool.perf.firstTokenMs,
    hintMs: pool.config.admission.start_hint_ms,
  });
}

/** A polite client waits about as long as its own task before it submits more; not at all while the line is at most half full. */
function backoffMs(pool: LivePool, view: LineView, predictedStartMs: number): number {
  const waiting = view.waiting.interactive + view.waiting.batch + 1;
  return waiting * 2 <= pool.config.queue.capacity ? 0 : predictedStartMs;
}

function lineIsFull(pool: LivePool, view: LineView, request: Pick<TaskRequest, 'priority'>): AppError {
  const waiting = Math.max(1, view.waiting.interactive + view.waiting.batch);
  const drainMs = predictStart(pool, { ...view, position: waiting }, { priority: 'batch' });
  const retryAfterMs = Math.max(100, Math.round(drainMs / waiting));
  const message = `The queue of the pool is full for ${request.priority} tasks: ${waiting} wait. Try again later, or use another pool.`;
  return new AppError('ADMISSION_REJECT', message, {
    retryAfterMs,
    policyLabel: pool.config.queue.full_policy,
    engine: pool.config.engine.id,
    poolId: pool.config.id,
  });
}

function placementRecord(decision: Decision, poolId: string): PlacementRecord {
  const { candidates } = decision;
  const base = { pool_id: poolId, candidates: candidates.map((c) => ({ pool_id: c.poolId, feasible: c.feasible, reasons: [...c.reasons] })) };
  if (decision.kind === 'none') return { ...base, pinned: false, fallback: false, reasons: [] };
  return { ...base, pinned: decision.pinned, fallback: decision.fallback, reasons: [...decision.reasons] };
}

function deadlinePassed(): AppError {
  const details = [{ field: 'deadline_ms', problem: 'must lie in the future' }];
  return new AppError('DEADLINE_UNMET', 'deadline_ms: must lie in the future', { details });
}

function conflict(): never {
  throw new AppError('CONFLICT', 'Another request was accepted under this task_id. Use a new task_id, or send the same body.', {
    details: [{ field: 'task_id', problem: 'is taken by a different request' }],
  });
}
