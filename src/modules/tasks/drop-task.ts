import type { TaskError } from '../../contract/events.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { Line, PoolQueues } from '../admission/index.js';
import type { CloseOutcome, EventLog } from '../events/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { EndTask } from './end-task.js';
import { openLog } from './open-task.js';
import { drainMs } from './predict-start.js';
import type { TasksRepository } from './tasks.repository.js';
import type { TasksTelemetry } from './tasks.telemetry.js';

export interface DropCollaborators {
  readonly endTask: EndTask;
  readonly log: EventLog;
  readonly tasks: TasksRepository;
  readonly line: Line;
  readonly queues: PoolQueues;
  readonly pools: PoolRegistry;
  readonly telemetry: TasksTelemetry;
  readonly clock: Clock;
}

/**
 * Ends a task that lost its place in line to another (enter-line.lua). From that moment it is in the list of dropped tasks, and no worker
 * begins it; it leaves the list when its log is closed. Whoever dies in between, the reconciler does it again: twice is the same as once.
 */
export class DropTask {
  constructor(private readonly with_: DropCollaborators) {}

  /** True when it has ended. False: it has no row yet, so its submit is still under way, or died. Rejects when a store is away. */
  async run(poolId: string, taskId: string): Promise<boolean> {
    const { endTask, line, queues, telemetry } = this.with_;
    const error = this.errorOf(poolId);
    let outcome: CloseOutcome = await endTask.fail(taskId, error, 'q');
    if (outcome.kind === 'missing') {
      if (!(await this.open(taskId))) return false;
      outcome = await endTask.fail(taskId, error, 'q');
    }
    if (outcome.kind === 'closed') telemetry.dropped(taskId, poolId);
    await queues.of(poolId)?.withdraw(taskId);
    await line.forgetDropped(poolId, taskId);
    return true;
  }

  /** The same, where nobody waits for it and the reconciler does what fails. */
  soon(poolId: string, taskId: string): void {
    this.run(poolId, taskId).catch((error: unknown) => this.with_.telemetry.dropIsDelayed(taskId, error));
  }

  /** For a task whose log was opened just now: whoever dropped it before found nothing to close. */
  soonIfDropped(poolId: string, taskId: string): void {
    const { line, telemetry } = this.with_;
    line
      .isDropped(poolId, taskId)
      .then((isDropped) => (isDropped ? this.run(poolId, taskId) : null))
      .catch((error: unknown) => telemetry.dropIsDelayed(taskId, error));
  }

  /** Its submit has written the row and not opened the log. */
  private async open(taskId: string): Promise<boolean> {
    const { tasks, log, clock } = this.with_;
    const open = await tasks.findOpen(taskId);
    if (open === null) return false;
    await openLog(log, open, { againMs: clock.now() });
    return true;
  }

  private errorOf(poolId: string): TaskError {
    const pool = this.with_.pools.find(poolId);
    return {
      code: 'QUEUE_FULL_DROP_LRU',
      message: 'The queue was full, and the task made room for a newer one. Submit it again later.',
      retriable: true,
      ...(pool !== null && { retry_after_ms: drainMs(pool, this.with_.clock.now()), engine: pool.config.engine.id }),
      pool_id: poolId,
    };
  }
}
