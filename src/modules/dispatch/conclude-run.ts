import type { TaskError } from '../../contract/events.js';
import type { EngineUsage } from '../../engines/engine-adapter.port.js';
import {
  endTemplate,
  endWithResult,
  errorTemplate,
  runningFence,
  type EventLog,
  type TerminalFrame,
} from '../events/index.js';
import type { EndTask } from '../tasks/index.js';
import type { DecodeResult, StopCause } from './decode.js';
import type { DispatchTelemetry } from './dispatch.telemetry.js';
import type { HeldSlot } from './held-slot.js';
import type { KeepResult } from './keep-result.js';
import type { RunAttempt } from './run-attempt.js';
import type { RunOutcome } from './run-context.js';
import { engineLost, outOfTime, workerLost } from './run-errors.js';
import type { RunMeasures } from './run-measures.js';
import type { RunView } from './run-view.js';
import { untilDone } from './until-done.js';

export interface ConclusionCollaborators {
  readonly eventLog: Pick<EventLog, 'markStopped'>;
  readonly endTask: EndTask;
  readonly keepResult: KeepResult;
  readonly measures: RunMeasures;
  readonly telemetry: DispatchTelemetry;
}

/** Ends a task as its last attempt went: one terminal event behind the attempt's fence, the slot given back, the record settled. */
export class ConcludeRun {
  private settling: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly with_: ConclusionCollaborators,
    private readonly slot: HeldSlot,
    private readonly signal: AbortSignal,
  ) {}

  /** The transcript and row that follow a run; never rejects. */
  get settled(): Promise<unknown> {
    return this.settling;
  }

  /** @returns `again` where the task is left to others, unharmed */
  async run(attempt: RunAttempt, result: DecodeResult): Promise<RunOutcome> {
    const { view } = attempt;
    const { outcome, hasAnswered } = await this.conclude(attempt, result);
    // Whoever ended the task instead may be asked whether the engine has stopped: only now it is known.
    if (!hasAnswered) void this.letGo(view);
    await this.slot.giveBack(view.lease);
    return outcome;
  }

  /** Ends a task that can't be continued. */
  async fail(view: RunView, error: TaskError): Promise<RunOutcome> {
    const fence = runningFence(view.claim.attempt);
    await untilDone(() => this.with_.endTask.close(view.taskId, errorTemplate(error), fence), this.signal);
    this.settle(view.taskId);
    await this.slot.giveBack(view.lease);
    return 'done';
  }

  /** Said once the connection to the engine is closed. Not said because Redis is away: the receipt of a cancel says so. */
  async letGo({ taskId, claim }: RunView): Promise<void> {
    await this.with_.eventLog.markStopped(taskId, claim.attempt).catch(() => undefined);
  }

  private async conclude(
    attempt: RunAttempt,
    result: DecodeResult,
  ): Promise<{ readonly outcome: RunOutcome; readonly hasAnswered: boolean }> {
    const { view, writer } = attempt;
    switch (result.kind) {
      case 'ended':
        return { outcome: 'done', hasAnswered: await this.end(attempt, result.usage) };
      case 'lost':
        await writer.flushed();
        await this.close(attempt, errorTemplate(engineLost(result.error, writer.tokens > 0, view.pool)));
        return { outcome: 'done', hasAnswered: false };
      case 'stopped':
        return { outcome: await this.stopped(attempt, result.cause), hasAnswered: false };
    }
  }

  /** False: somebody else ended the task. */
  private async end(attempt: RunAttempt, usage: EngineUsage): Promise<boolean> {
    if (!(await attempt.writer.shown())) return false;
    const { finishReason, result, ...counts } = usage;
    const end = { finish_reason: finishReason };
    if (result === undefined) return this.close(attempt, endTemplate(end, counts), counts);
    const kept = await untilDone(() => this.with_.keepResult.run(result), this.signal);
    const frame =
      'json' in kept
        ? endWithResult(end, counts, kept.json)
        : endTemplate({ ...end, artifact_id: kept.artifactId }, counts);
    return this.close(attempt, frame, counts);
  }

  private async stopped(attempt: RunAttempt, cause: StopCause): Promise<RunOutcome> {
    const { view, writer } = attempt;
    if (cause === 'deadline' || cause === 'wall' || cause === 'session') {
      await writer.flushed();
      await this.close(attempt, errorTemplate(outOfTime(cause, view.pool)));
      return 'done';
    }
    if (cause !== 'shutdown') {
      writer.abandon();
      return 'done';
    }
    if (writer.tokens > 0) {
      await writer.flushed();
      const message = 'The worker that ran the task was stopped after it had begun to answer.';
      return this.fail(view, workerLost(message, view.lease.poolId, view.pool));
    }
    writer.abandon();
    return 'again';
  }

  /** False: somebody else was first. */
  private async close(
    { view, facts }: RunAttempt,
    frame: TerminalFrame,
    usage?: { readonly tokensIn: number; readonly tokensOut: number },
  ): Promise<boolean> {
    const { endTask, telemetry, measures } = this.with_;
    const fence = runningFence(view.claim.attempt);
    const closing = untilDone(() => endTask.close(view.taskId, frame, fence), this.signal);
    // The engine is done with the task: the slot is given back in the same trip.
    const [outcome] = await Promise.all([closing, this.slot.giveBack(view.lease)]);
    if (outcome.kind !== 'closed') return false;
    telemetry.ended(view, { ...outcome, ...usage }, facts);
    this.settle(view.taskId);
    const { firstTokenMs } = facts;
    // An answer without tokens is measured by how long it took; a completion without them says nothing.
    const isAnswer = usage !== undefined && (view.claim.request.workload ?? 'completion') !== 'completion';
    if (firstTokenMs !== null || isAnswer) {
      const { tokensOut, decodeTimeMs } = outcome;
      measures.ended(view, { tokensOut, decodeTimeMs, firstTokenMs });
    }
    return true;
  }

  /** Transcript and row follow behind: the reader has its end already, and the reconciler does it if we can't. */
  private settle(taskId: string): void {
    const { endTask, telemetry } = this.with_;
    this.settling = endTask.settleSoon(taskId).catch((error: unknown) => telemetry.leftToReconciler(taskId, error));
  }
}
