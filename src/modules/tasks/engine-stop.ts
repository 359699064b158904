import type { EventLog } from '../events/index.js';
import type { TasksRepository } from './tasks.repository.js';

const firstPollMs = 5;
const longestPollMs = 100;

/** Tells whether the engines have let go of a task that has ended. */
export class EngineStop {
  constructor(
    private readonly log: Pick<EventLog, 'attempts'>,
    private readonly tasks: Pick<TasksRepository, 'stateOf'>,
    private readonly patienceMs = 2000,
  ) {}

  /**
   * True once it is known that no engine decodes for the task: it never began, its engine answered to the end, or the workers of all its
   * attempts have closed their connections. False when that is not known in time. Rejects when a store is away.
   */
  async confirm(taskId: string): Promise<boolean> {
    const until = performance.now() + this.patienceMs;
    for (let pauseMs = firstPollMs; ; pauseMs = Math.min(pauseMs * 2, longestPollMs)) {
      const attempts = await this.log.attempts(taskId);
      if (attempts !== null && attempts.stopped >= attempts.begun) return true;
      if (pauseMs === firstPollMs && (await this.tasks.stateOf(taskId))?.state === 'completed') return true;
      // Whose run record has gone was ended long ago: nobody will say any more.
      if (attempts === null || performance.now() >= until) return false;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
