import type { Admission } from '../../contract/task-response.js';
import type { TaskRequest } from '../../contract/task-request.js';
import type { Clock } from '../../platform/clock/clock.js';
import { newUuid } from '../../platform/ids/uuid.js';
import type { Deadlines, Line, LineGauge, LineView, PoolQueues } from '../admission/index.js';
import type { EventLog, LogChunk } from '../events/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import { bodyHash } from './body-hash.js';
import { backoffMs, placementRecord, predictStartMs, streamsOf, type Assigned } from './admission-answer.js';
import { lineBounds } from './line-bounds.js';
import { openTask, startedChunk, startedFrame } from './open-task.js';
import { placeTask } from './place-task.js';
import { conflict, deadlinePassed, lineIsFull, noPool, poolVanished } from './refusals.js';
import type { StartableTask, StartedTask, StartNow } from './start-now.port.js';
import { expectedTokens, runRequestOf, type NewTask } from './task-record.js';
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
  /** Event 1, when the log was opened just now with the asker's hub as a follower; else the log must be read. */
  readonly started: LogChunk | null;
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

/** A request on its way in: what was decided about it so far. */
interface Draft {
  readonly taskId: string;
  readonly hash: string;
  readonly request: TaskRequest;
  readonly decision: Assigned;
  readonly pool: LivePool;
  readonly context: SubmitContext;
}

const emptyView: LineView = {
  position: 0,
  waiting: { interactive: 0, batch: 0 },
  tokens: { interactive: 0, batch: 0 },
  busySlots: 0,
};

/**
 * Accepts a task. Through the queue: place in line first (exact bounds), then the row (from here on it is kept), then the log and the
 * offer to the workers; a crash after the first step leaks a place that the reconciler gives back, a crash after the second is completed by
 * it. Straight to an engine, where nobody waits and this process works: slot, log and fence first, the row while the engine begins.
 */
export class SubmitTask {
  /** Set by a process that also works. */
  startNow: StartNow | null = null;

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
    const taskId = request.task_id ?? newUuid();
    // Nobody can repeat an id that the server has just made up.
    const hash = request.task_id === undefined ? '' : bodyHash(request);
    if (request.task_id !== undefined) {
      const before = await this.answerBefore(taskId, hash);
      if (before !== null) return before;
    }
    if (request.deadline_ms !== undefined && request.deadline_ms <= 0) throw deadlinePassed();
    const draft = this.place(taskId, hash, request, context);
    // A row under the client's own id is seen by its repeats at once, and must never be taken back: no short cut for those.
    const atOnce = request.task_id === undefined ? await this.admitAtOnce(draft) : null;
    return atOnce ?? this.admitInLine(draft);
  }

  private place(taskId: string, hash: string, request: TaskRequest, context: SubmitContext): Draft {
    const { pools, gauge, telemetry } = this.with_;
    const decision = placeTask(request, pools, gauge);
    telemetry.placed(decision);
    if (decision.kind === 'none') throw noPool(decision);
    const pool = pools.find(decision.poolId);
    if (pool === null) throw poolVanished();
    return { taskId, hash, request, decision, pool, context };
  }

  /** Row and start at the same time. Null: there is somebody before it, or no free slot, or no worker here. */
  private async admitAtOnce(draft: Draft): Promise<SubmitOutcome | null> {
    const { startNow } = this;
    const { taskId, pool, context } = draft;
    const { tasks, deadlines, telemetry } = this.with_;
    const replicaId = this.looksFree(pool) ? startNow?.choose(pool.config.id) : null;
    if (startNow === null || typeof replicaId !== 'string') return null;
    const task = this.newTask(draft, emptyView, replicaId);
    const starting = startNow.start(startableOf(task, context), replicaId);
    const [row, start] = await Promise.allSettled([tasks.insert(task), starting]);
    const started = start.status === 'fulfilled' ? start.value : null;
    if (started === null || row.status === 'rejected' || !row.value) {
      await this.takeBack(taskId, row, started);
      return null;
    }
    started.confirm();
    if (task.deadlineMs !== null) deadlines.watch(taskId, task.deadlineMs).catch(() => undefined);
    telemetry.accepted(task, pool, context);
    return { admission: task.admission, started: startedChunk(task) };
  }

  /** Leaves no trace of a task of which only one half came about: row or start. Rejects as writing the row did. */
  private async takeBack(
    taskId: string,
    row: PromiseSettledResult<boolean>,
    started: StartedTask | null,
  ): Promise<void> {
    await started?.discard().catch(() => undefined);
    if (row.status === 'rejected') throw row.reason;
    if (row.value) await this.with_.tasks.withdraw(taskId);
  }

  private async admitInLine(draft: Draft): Promise<SubmitOutcome> {
    const { taskId, request, pool, context } = draft;
    const { line, pools, tasks, telemetry } = this.with_;
    const entry = {
      taskId,
      poolId: pool.config.id,
      priority: request.priority,
      expectedTokens: expectedTokens(request),
    };
    const { kind, view } = await line.enter(entry, lineBounds(pool, request.priority, pools));
    if (kind === 'full') {
      telemetry.pushedBack(pool);
      throw lineIsFull(pool, view, request.priority);
    }
    const task = this.newTask(draft, view, null);
    const isNew = await tasks.insert(task).catch(async (error: unknown) => {
      if (kind === 'entered') await line.leave(task.poolId, taskId).catch(() => undefined);
      throw error;
    });
    if (!isNew) {
      // A repeat of a task that waits has taken its place for it; one that waits no more needs none.
      const state = await tasks.stateOf(taskId);
      if (kind === 'entered' && state?.state !== 'queued') await line.leave(task.poolId, taskId);
      return (await this.answerBefore(taskId, draft.hash)) ?? conflict();
    }
    const isOpen = await this.open(task, context);
    telemetry.accepted(task, pool, context);
    return { admission: task.admission, started: isOpen ? startedChunk(task) : null };
  }

  /** As of a moment ago; the claim itself looks again. */
  private looksFree(pool: LivePool): boolean {
    const { interactive, batch } = this.with_.gauge.of(pool.config.id);
    const busy = [...pool.leases.values()].reduce((sum, count) => sum + count, 0);
    return interactive + batch === 0 && busy < pool.slots;
  }

  private newTask(
    { taskId, hash, request, decision, pool, context }: Draft,
    view: LineView,
    startedOn: string | null,
  ): NewTask {
    const createdMs = this.with_.clock.now();
    const predictedStartMs = predictStartMs(pool, view, request.priority);
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
      placement: placementRecord(decision),
      createdMs,
      deadlineMs: request.deadline_ms === undefined ? null : createdMs + request.deadline_ms,
      startedOn,
    };
  }

  /** The task is accepted already: when Redis fails here, the reconciler opens it as soon as Redis is back. */
  private async open(task: NewTask, context: SubmitContext): Promise<boolean> {
    const { queues, log, telemetry, deadlines } = this.with_;
    const queue = queues.of(task.poolId);
    if (queue === null) return false;
    const open = { ...task, state: 'queued', priority: task.request.priority, attempts: 0 } as const;
    try {
      await openTask(open, { log, queue, deadlines }, context.hubId);
      return true;
    } catch (error) {
      telemetry.leftToReconciler(task, error);
      return false;
    }
  }

  private async answerBefore(taskId: string, hash: string): Promise<SubmitOutcome | null> {
    const before = await this.with_.tasks.acceptedBefore(taskId);
    if (before === null) return null;
    if (before.bodyHash !== hash) conflict();
    return { admission: before.admission, started: null };
  }
}

/** An accepted task as it is handed to a worker of this process. */
function startableOf(task: NewTask, { hubId }: SubmitContext): StartableTask {
  const { taskId, poolId, correlationId, request, deadlineMs } = task;
  return {
    taskId,
    poolId,
    correlationId,
    priority: request.priority,
    hubId,
    request: runRequestOf(request, deadlineMs),
    startedFrame: startedFrame(task),
  };
}
