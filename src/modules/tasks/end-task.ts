import type { TaskError } from '../../contract/events.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { CloseOutcome, EventHub, EventLog } from '../events/index.js';
import { errorTemplate } from '../events/index.js';
import type { KeepTranscript } from './keep-transcript.js';
import { readEnding } from './read-ending.js';
import type { TasksRepository } from './tasks.repository.js';

const gatherMs = 50;

/**
 * Ends tasks, whoever decides it: the worker, a cancel, a deadline, the reconciler. The log in Redis decides who is first (its fence); the
 * transcript and the row follow and say the same, because they are derived from the closed log. Whatever stops in between is finished by
 * the reconciler calling `settle` again.
 */
export class EndTask {
  private gathering: Promise<void> | null = null;

  constructor(
    private readonly log: EventLog,
    private readonly keepTranscript: KeepTranscript,
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

  /**
   * Keeps the transcript of a closed log and ends the row with its id. Doing it twice, or again after a crash half way, is the same as once:
   * the transcript is named by its content, which is derived from the log. False: the log is not closed, or gone.
   */
  async settle(taskId: string): Promise<boolean> {
    const chunks = await this.log.readAll(taskId);
    const ending = readEnding(taskId, chunks, this.clock.now());
    if (ending === null) return false;
    const task = await this.tasks.findOpen(taskId);
    if (task === null) return true;
    const artifactId = await this.keepTranscript.run(task, ending, chunks);
    await this.tasks.settle({ ...ending, artifactId });
    return true;
  }
}
