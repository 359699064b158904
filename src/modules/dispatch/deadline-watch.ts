import type { Clock } from '../../platform/clock/clock.js';
import type { Deadlines, Line, PoolQueues } from '../admission/index.js';
import type { EndTask, TasksRepository } from '../tasks/index.js';

/** How long a running task's own worker has to notice its deadline before somebody else ends the task. */
const workerGraceMs = 2000;

/** Ends waiting tasks whose deadline passes. Every process looks; the log takes one end only. */
export class DeadlineWatch {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly with_: {
      readonly deadlines: Deadlines;
      readonly tasks: TasksRepository;
      readonly endTask: EndTask;
      readonly line: Line;
      readonly queues: PoolQueues;
      readonly clock: Clock;
    },
  ) {}

  start(intervalMs: number): void {
    let isLooking = false;
    this.timer = setInterval(() => {
      if (isLooking) return;
      isLooking = true;
      // A store that is away is asked again at the next look.
      void this.look()
        .catch(() => undefined)
        .finally(() => {
          isLooking = false;
        });
    }, intervalMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Ends what is due now. */
  async look(): Promise<void> {
    const { deadlines, clock } = this.with_;
    for (const taskId of await deadlines.due(clock.now(), 100)) await this.end(taskId);
  }

  private async end(taskId: string): Promise<void> {
    const { deadlines, tasks, endTask, line, queues, clock } = this.with_;
    const task = await tasks.findOpen(taskId);
    if (task === null) {
      await deadlines.forget(taskId);
      return;
    }
    const about = { retriable: true, engine: task.engine, pool_id: task.poolId };
    const inLine = await endTask.fail(
      taskId,
      { ...about, code: 'DEADLINE_UNMET', message: 'The deadline passed while the task waited.' },
      'q',
    );
    if (inLine.kind === 'closed') {
      await Promise.all([
        line.leave(task.poolId, taskId),
        queues.of(task.poolId)?.withdraw(taskId),
        deadlines.forget(taskId),
      ]);
      return;
    }
    // It runs: its worker ends it, unless that worker is dead.
    if (inLine.kind !== 'kept' || clock.now() < (task.deadlineMs ?? 0) + workerGraceMs) return;
    await endTask.fail(taskId, { ...about, code: 'DECODE_TIMEOUT', message: 'Its deadline passed while decoding.' });
    await deadlines.forget(taskId);
  }
}
