import type { Clock } from '../../platform/clock/clock.js';
import type { Deadlines, Line, PoolQueues } from '../admission/index.js';
import type { EndTask, TasksRepository } from '../tasks/index.js';

/** How long a running task's own worker has to notice its deadline before somebody else ends the task. */
const workerGraceMs = 2000;
/** So many end at a time: their reads and statements share trips. */
const pageSize = 64;

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

  /** Ends all that is due now: however many there are, a look later all of them would be late. */
  async look(): Promise<void> {
    const { deadlines, clock } = this.with_;
    const now = clock.now();
    for (let staying = 0, found = pageSize; found === pageSize;) {
      const due = await deadlines.due(now, pageSize, staying);
      const isOver = await Promise.all(due.map((taskId) => this.end(taskId)));
      staying += isOver.filter((over) => !over).length;
      found = due.length;
    }
  }

  /** False: its worker is about to end it, or the reconciler is; it stays among those that are due. */
  private async end(taskId: string): Promise<boolean> {
    const { deadlines, tasks, endTask, line, queues, clock } = this.with_;
    const task = await tasks.findOpen(taskId);
    if (task === null) {
      await deadlines.forget(taskId);
      return true;
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
      return true;
    }
    // It runs: its worker ends it, unless that worker is dead.
    if (inLine.kind !== 'kept' || clock.now() < (task.deadlineMs ?? 0) + workerGraceMs) return false;
    await endTask.fail(taskId, { ...about, code: 'DECODE_TIMEOUT', message: 'Its deadline passed while decoding.' });
    await deadlines.forget(taskId);
    return true;
  }
}
