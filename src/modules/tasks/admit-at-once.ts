import type { Clock } from '../../platform/clock/clock.js';
import type { Deadlines, LineGauge } from '../admission/index.js';
import { busySlots, type LivePool } from '../pools/index.js';
import { emptyView, newTask, replicaWish, type Draft, type SubmitContext, type SubmitOutcome } from './draft.js';
import { startedChunk, startedFrame } from './open-task.js';
import type { StartableTask, StartedTask, StartNow } from './start-now.port.js';
import { runRequestOf } from './run-request.js';
import { replicaMarks, type NewTask } from './task-record.js';
import type { TasksRepository } from './tasks.repository.js';
import type { TasksTelemetry } from './tasks.telemetry.js';

/** The short cut past the queue, where nobody waits and this process works: slot, log and fence first, the row while the engine begins. */
export class AdmitAtOnce {
  /** Set by a process that also works. */
  startNow: StartNow | null = null;

  constructor(
    private readonly with_: {
      readonly gauge: LineGauge;
      readonly deadlines: Deadlines;
      readonly tasks: TasksRepository;
      readonly telemetry: TasksTelemetry;
      readonly clock: Clock;
    },
  ) {}

  /** Row and start at the same time. Null: there is somebody before it, or no free slot, or no worker here. */
  async run(draft: Draft): Promise<SubmitOutcome | null> {
    const { startNow } = this;
    const { taskId, pool, context } = draft;
    const { tasks, deadlines, telemetry, clock } = this.with_;
    const replicaId = this.looksFree(pool) ? startNow?.choose(pool.config.id, replicaWish(draft)) : null;
    if (startNow === null || typeof replicaId !== 'string') return null;
    const task = newTask(draft, emptyView, replicaId, clock.now());
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
    return { admission: task.admission, started: startedChunk(task), left: draft.admitted?.left ?? null };
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

  /** As of a moment ago; the claim itself looks again. */
  private looksFree(pool: LivePool): boolean {
    const { interactive, batch } = this.with_.gauge.of(pool.config.id);
    return interactive + batch === 0 && busySlots(pool) < pool.slots;
  }
}

/** An accepted task as it is handed to a worker of this process. */
function startableOf(task: NewTask, { hubId }: SubmitContext): StartableTask {
  const { taskId, poolId, correlationId, request } = task;
  return {
    taskId,
    poolId,
    correlationId,
    priority: request.priority,
    hubId,
    request: runRequestOf(task),
    startedFrame: startedFrame(task),
    marks: replicaMarks(task),
  };
}
