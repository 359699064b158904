import type { TaskError } from '../../contract/events.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { CloseOutcome, EventArchiveRepository, EventHub, EventLog } from '../events/index.js';
import { errorTemplate } from '../events/index.js';
import { readEnding } from './read-ending.js';
import type { TasksRepository } from './tasks.repository.js';

const gatherMs = 50;

/**
 * Ends tasks, whoever decides it: the worker, a cancel, a deadline, the reconciler. The log in Redis decides who is first (its fence); the
 * archive and the row follow and say the same, because they are derived from the closed log. Whatever stops in between is finished by
 * the reconciler calling `settle` again.
 */
export class EndTask {
  private gathering: Promise<void> | null = null;

  constructor(
    private readonly log: EventLog,
    private readonly archive: EventArchiveRepository,
    private readonly tasks: TasksRepository,
    /** Readers of this process; null in one without. */
    private readonly hub: EventHub | null,
    private readonly clock: Clock,
  ) {}

  /**
   * Closes the log with a terminal event, unless it is closed or the fence is another's.
   * @param template what follows the id line of the frame, see `endTemplate` and `errorTemplate`
   */
  async close(taskId: string, template: string, fence = '*'): Promise<CloseOutcome> {
    const outcome = await this.log.close(taskId, template, fence);
    if (outcome.kind !== 'closed') return outcome;
    this.hub?.deliver([outcome.chunk]);
    if (outcome.fenceBefore.startsWith('r') && fence === '*') await this.log.announceClosed(taskId);
    return outcome;
  }

  /** Closes with an error and settles the row. */
  async fail(taskId: string, error: TaskError, fence = '*'): Promise<CloseOutcome> {
    const outcome = await this.close(taskId, errorTemplate(error), fence);
    if (outcome.kind === 'closed') await this.settle(taskId);
    return outcome;
  }

  /**
   * `settle`, a moment later and together with others that end meanwhile: their reads and statements share trips. Whoever asks for the
   * task before sees it settled all the same (ReadTask).
   */
  settleSoon(taskId: string): Promise<boolean> {
    this.gathering ??= new Promise<void>((resolve) => {
      setTimeout(() => {
        this.gathering = null;
        resolve();
      }, gatherMs);
    });
    return this.gathering.then(() => this.settle(taskId));
  }

  /** Copies a closed log to the archive and ends the row. Doing it twice is the same as once. False: the log is not closed, or gone. */
  async settle(taskId: string): Promise<boolean> {
    const chunks = await this.log.readAll(taskId);
    const ending = readEnding(taskId, chunks, this.clock.now());
    if (ending === null) return false;
    await this.archive.keep(taskId, chunks);
    await this.tasks.settle(ending);
    return true;
  }
}
