import type { TaskError } from '../../contract/events.js';
import type { EngineError, EngineUsage } from '../../engines/engine-adapter.port.js';
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
  readonly eventLog: Pick<EventLog, 'markStopped' | 'forgetOpen'>;
  readonly endTask: EndTask;
  readonly keepResult: KeepResult;
  readonly measures: RunMeasures;
  readonly telemetry: DispatchTelemetry;
}

const divergedMessage = 'Its engine was lost, and another answered the same request otherwise.';

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

  /** Ends a task that can't be continued, or waits for no replica any more. Nothing happens where another attempt has begun, or the task has ended. */
  async fail(view: RunView, error: TaskError): Promise<RunOutcome> {
    const fence = runningFence(view.claim.attempt);
    await untilDone(() => this.with_.endTask.close(view.taskId, errorTemplate(error), fence), this.signal);
    this.settle(view.taskId);
    await this.slot.giveBack(view.lease);
    return 'done';
  }

  /** Ends a task of which only the end was lost: all its tokens are in the log. */
  async finish(view: RunView): Promise<RunOutcome> {
    const template = endTemplate({ finish_reason: 'length' });
    await untilDone(
      () => this.with_.endTask.close(view.taskId, template, runningFence(view.claim.attempt)),
      this.signal,
    );
    this.settle(view.taskId);
    await this.slot.giveBack(view.lease);
    return 'done';
  }

  /** Said once the connection to the engine is closed. Not said because Redis is away: the receipt of a cancel says so. */
  async letGo({ taskId, claim }: RunView): Promise<void> {
    await this.with_.eventLog.markStopped(taskId, claim.attempt).catch(() => undefined);
  }

  /** Its row has ended, and Redis does not know: it came back as it was before. What is left open there would have readers wait for ever. */
  private async forget({ taskId, claim }: RunView): Promise<void> {
    await this.with_.eventLog.forgetOpen(taskId, runningFence(claim.attempt)).catch(() => undefined);
  }

  private async conclude(
    attempt: RunAttempt,
    result: DecodeResult,
  ): Promise<{ readonly outcome: RunOutcome; readonly hasAnswered: boolean }> {
    const { view, writer } = attempt;
    // An engine may refuse before the task's row is written: an end that nobody follows yet would be seen late, and noted later.
    await attempt.accepted();
    switch (result.kind) {
      case 'ended':
        return { outcome: 'done', hasAnswered: await this.end(attempt, result.usage) };
      case 'lost':
        await writer.flushed();
        await this.close(attempt, errorTemplate(lossOf(attempt, result.error)));
        return { outcome: 'done', hasAnswered: false };
      case 'diverged':
        await this.close(attempt, errorTemplate(workerLost(divergedMessage, view.lease.poolId, view.pool)));
        return { outcome: 'done', hasAnswered: false };
      case 'stopped':
        return { outcome: await this.stopped(attempt, result.cause), hasAnswered: false };
    }
  }

  /** False: somebody else ended the task. */
  private async end(attempt: RunAttempt, usage: EngineUsage): Promise<boolean> {
    if (!(await attempt.writer.shown())) return false;
    const { finishReason, result } = usage;
    const counts = wholeUsage(attempt, usage);
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
    writer.abandon();
    if (cause === 'row-ended') await this.forget(view);
    return cause === 'shutdown' ? 'again' : 'done';
  }

  /** False: somebody else was first. */
  private async close(
    { view, facts, start, writer }: RunAttempt,
    frame: TerminalFrame,
    usage?: { readonly tokensIn: number; readonly tokensOut: number },
  ): Promise<boolean> {
    const { endTask, telemetry, measures } = this.with_;
    const fence = runningFence(view.claim.attempt);
    const closing = untilDone(() => endTask.close(view.taskId, frame, fence, writer.takenId), this.signal);
    // The engine is done with the task: the slot is given back in the same trip.
    const [outcome] = await Promise.all([closing, this.slot.giveBack(view.lease)]);
    if (outcome.kind !== 'closed') return false;
    telemetry.ended(view, { ...outcome, ...usage }, facts);
    this.settle(view.taskId);
    const { firstTokenMs } = facts;
    // An answer without tokens is measured by how long it took; a completion without them says nothing.
    const isAnswer = usage !== undefined && (view.claim.request.workload ?? 'completion') !== 'completion';
    // What was broken off says nothing of how long such runs take.
    if (start.kind === 'fresh' && (firstTokenMs !== null || isAnswer)) {
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

function lossOf({ view, writer, start }: RunAttempt, error: EngineError): TaskError {
  return engineLost(error, { hasAnswered: writer.tokens > 0, isContinued: start.kind !== 'fresh' }, view.pool);
}

/** What all attempts read and wrote. An engine that went on from a longer prompt counts as read what was written before. */
function wholeUsage({ view, start }: RunAttempt, { tokensIn, tokensOut }: EngineUsage) {
  if (start.kind !== 'longer-prompt') return { tokensIn, tokensOut };
  const { tokens, earlier } = view.claim;
  const known = earlier?.tokensIn ?? 0;
  return {
    tokensIn: known > 0 ? known : Math.max(0, tokensIn - tokens),
    tokensOut: tokens + Math.min(start.work.maxTokens, tokensOut),
  };
}
