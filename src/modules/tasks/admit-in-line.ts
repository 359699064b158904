import type { Clock } from '../../platform/clock/clock.js';
import type { Deadlines, Line, PoolQueues } from '../admission/index.js';
import type { EventLog, LogChunk } from '../events/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { DropTask } from './drop-task.js';
import { newTask, type Draft, type SubmitContext, type SubmitOutcome } from './draft.js';
import { lineBounds } from './line-bounds.js';
import { openTask, startedChunk } from './open-task.js';
import { lineIsFull } from './refusals.js';
import { expectedTokens, type NewTask } from './task-record.js';
import type { TasksRepository } from './tasks.repository.js';
import type { TasksTelemetry } from './tasks.telemetry.js';

/**
 * The way through the queue: place in line first (exact bounds), then the row (from here on the task is kept), then the log and the offer to
 * the workers. A crash after the first step leaks a place that the reconciler gives back, a crash after the second is completed by it.
 */
export class AdmitInLine {
  constructor(
    private readonly with_: {
      readonly pools: PoolRegistry;
      readonly line: Line;
      readonly deadlines: Deadlines;
      readonly queues: PoolQueues;
      readonly log: EventLog;
      readonly tasks: TasksRepository;
      readonly dropTask: DropTask;
      readonly telemetry: TasksTelemetry;
      readonly clock: Clock;
    },
  ) {}

  /** Null: a task of this id is there already. Rejects with an AppError when the line is full. */
  async run(draft: Draft): Promise<SubmitOutcome | null> {
    const { taskId, request, pool, context } = draft;
    const { line, pools, tasks, dropTask, telemetry, clock } = this.with_;
    const entry = {
      taskId,
      poolId: pool.config.id,
      priority: request.priority,
      expectedTokens: expectedTokens(request),
    };
    const bounds = lineBounds(pool, request.priority, pools);
    const { kind, view, droppedTaskId } = await line.enter(entry, bounds);
    if (kind === 'full' || droppedTaskId !== null) telemetry.pushedBack(pool);
    if (kind === 'full') throw lineIsFull(pool, view, request.priority, bounds, clock.now());
    if (droppedTaskId !== null) dropTask.soon(pool.config.id, droppedTaskId);
    const task = newTask(draft, view, null, clock.now());
    const isNew = await tasks.insert(task).catch(async (error: unknown) => {
      if (kind === 'entered') await line.leave(task.poolId, taskId).catch(() => undefined);
      throw error;
    });
    if (!isNew) {
      // A repeat of a task that waits here has taken its place for it; one that waits elsewhere, or no more, needs none.
      const state = await tasks.stateOf(taskId);
      const waitsHere = state?.state === 'queued' && state.poolId === task.poolId;
      if (kind === 'entered' && !waitsHere) await line.leave(task.poolId, taskId);
      return null;
    }
    const started = await this.open(task, context, bounds.makesRoom);
    telemetry.accepted(task, pool, context);
    return { admission: task.admission, started, left: draft.admitted?.left ?? null };
  }

  /** The task is accepted already: when Redis fails here, the reconciler opens it as soon as Redis is back. */
  private async open(task: NewTask, context: SubmitContext, makesRoom: boolean): Promise<LogChunk | null> {
    const { queues, log, dropTask, telemetry, deadlines } = this.with_;
    const queue = queues.of(task.poolId);
    if (queue === null) return null;
    try {
      await openTask(task, { log, queue, deadlines }, { hubId: context.hubId });
      // Whoever took its place meanwhile may have found no log to close.
      if (makesRoom) dropTask.soonIfDropped(task.poolId, task.taskId);
      return context.hubId === null ? null : startedChunk(task);
    } catch (error) {
      telemetry.leftToReconciler(task, error);
      return null;
    }
  }
}
