import type { TaskError } from '../../contract/events.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { Deadlines } from '../admission/index.js';
import type { CloseOutcome, EventHub, EventLog, TerminalFrame } from '../events/index.js';
import { errorTemplate } from '../events/index.js';
import type { Sessions } from '../sessions/index.js';
import type { KeepTranscript } from './keep-transcript.js';
import { readEnding } from './read-ending.js';
import type { OpenTask, TaskEnding } from './task-record.js';
import type { TasksRepository } from './tasks.repository.js';
import { endedTurn } from './turn-usage.js';

const gatherMs = 50;

/**
 * Ends tasks, whoever decides it: the worker, a cancel, a deadline, the reconciler. The log in Redis decides who is first (its fence); the
 * transcript and the row follow and say the same, because they are derived from the closed log. Whatever stops in between is finished by
 * the reconciler calling `settle` again.
 */
export class EndTask {
  private gathering: Promise<void> | null = null;

  constructor(
    private readonly with_: {
      readonly log: EventLog;
      readonly keepTranscript: KeepTranscript;
      readonly tasks: TasksRepository;
      readonly sessions: Pick<Sessions, 'settle'>;
      readonly deadlines: Pick<Deadlines, 'forget'>;
      /** Readers of this process; null in one without. */
      readonly hub: EventHub | null;
      readonly clock: Clock;
    },
  ) {}

  /**
   * Closes the log with a terminal event, unless it is closed or the fence is another's.
   * @param frame what follows its id line, see `endTemplate` and `errorTemplate`
   * @param lastId what the holder of the fence knows to be in the log: where Redis has lost it, the task is left to the reconciler
   */
  async close(taskId: string, frame: TerminalFrame, fence = '*', lastId = 0): Promise<CloseOutcome> {
    return this.tell(taskId, await this.with_.log.close(taskId, frame, fence, lastId), fence);
  }

  /** Closes the log that Redis lost of a task whose readers may have seen anything; one that is there is kept. */
  async closeLost(task: Pick<OpenTask, 'taskId' | 'attempts'>, frame: TerminalFrame): Promise<CloseOutcome> {
    return this.tell(task.taskId, await this.with_.log.closeLost(task, frame), '*');
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
    const chunks = await this.with_.log.readAll(taskId);
    const read = readEnding(taskId, chunks, this.with_.clock.now());
    if (read === null) return false;
    const task = await this.with_.tasks.findOpen(taskId);
    if (task === null) return true;
    const ending = await this.withPrompt(read);
    const artifactId = await this.with_.keepTranscript.run(task, ending, chunks);
    await this.with_.tasks.settle({ ...ending, artifactId });
    await this.letGo(task, ending);
    return true;
  }

  /** What Redis holds for a task that is open. If Redis is away now: the turn is found by its age, the deadline when it has passed. */
  private async letGo(task: OpenTask, ending: TaskEnding): Promise<void> {
    const { sessions, deadlines } = this.with_;
    const turn = endedTurn(task, ending);
    const steps: Promise<void>[] = [];
    if (turn !== null) steps.push(sessions.settle(turn));
    if (task.deadlineMs !== null) steps.push(deadlines.forget(task.taskId));
    await Promise.allSettled(steps);
  }

  /** Readers here have their end, and whoever still runs the task hears of it. */
  private async tell(taskId: string, outcome: CloseOutcome, fence: string): Promise<CloseOutcome> {
    if (outcome.kind !== 'closed') return outcome;
    this.with_.hub?.deliver([outcome.chunk]);
    if (outcome.fenceBefore.startsWith('r') && fence === '*') await this.with_.log.announceClosed(taskId);
    return outcome;
  }

  /** An `error` event doesn't say how long the prompt was; the run record does, once the engine has answered. */
  private async withPrompt(ending: TaskEnding): Promise<TaskEnding> {
    if (ending.state !== 'failed' || ending.tokensOut === 0) return ending;
    const facts = await this.with_.log.firstToken(ending.taskId);
    return facts === null ? ending : { ...ending, ...facts };
  }
}
