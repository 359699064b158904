import type { EngineError } from '../../engines/engine-adapter.port.js';
import type { EventLog } from '../events/index.js';
import type { Lease, Leases, LivePool, PoolRegistry } from '../pools/index.js';
import type { BackInLine } from './back-in-line.js';
import { candidatesFor } from './candidates.js';
import { ClaimAgain, nowhere, type Claim } from './claim-again.js';
import type { Claimed, ClaimTask } from './claim-task.js';
import { ConcludeRun, type ConclusionCollaborators } from './conclude-run.js';
import type { ContinueRun } from './continue-run.js';
import type { DecodeResult } from './decode.js';
import { HeldSlot } from './held-slot.js';
import { PassedOver } from './passed-over.js';
import { RunAttempt, type AttemptCollaborators, type AttemptStart } from './run-attempt.js';
import type { RunContext, RunOutcome } from './run-context.js';
import { isLoss, workerLost } from './run-errors.js';
import type { RunView } from './run-view.js';
import { untilDone } from './until-done.js';

export interface RunCollaborators extends AttemptCollaborators, ConclusionCollaborators {
  readonly pools: PoolRegistry;
  readonly claim: ClaimTask;
  readonly leases: Leases;
  readonly eventLog: Pick<EventLog, 'markStopped' | 'markWarm' | 'forgetOpen'>;
  readonly continueRun: ContinueRun;
  readonly backInLine: Pick<BackInLine, 'enter' | 'follow'>;
}

type Lost = Extract<DecodeResult, { kind: 'lost' }>;

/** An attempt that was lost before its first token. */
interface Unanswered {
  readonly attempt: RunAttempt;
  readonly result: Lost;
}

/** How an attempt left the task: over, to be run by whoever gets the job, or to be taken to another replica from here. */
type Left = RunOutcome | { readonly lost: RunView; readonly unanswered: Unanswered | null };

/**
 * Takes one admitted task to its end, over as many attempts as it needs. One object a job; `stopClosed` and `shutdown` may be called from
 * outside at any time.
 */
export class RunTask {
  private readonly slot: HeldSlot;
  private readonly conclusion: ConcludeRun;
  private readonly claimAgain: ClaimAgain;
  private readonly passedOver = new PassedOver();
  private attempt: RunAttempt | null = null;

  constructor(
    readonly taskId: string,
    private readonly poolId: string,
    private readonly with_: RunCollaborators,
    private readonly context: RunContext,
  ) {
    this.slot = new HeldSlot(with_.leases, with_.measures);
    this.conclusion = new ConcludeRun(with_, this.slot, context.signal);
    this.claimAgain = new ClaimAgain(with_, context.signal);
  }

  /** The lease held now: kept alive by the heartbeat of the process. */
  get lease(): Lease | null {
    return this.slot.lease;
  }

  /** The transcript and row that follow a run; never rejects. */
  get settled(): Promise<unknown> {
    return this.conclusion.settled;
  }

  /**
   * Runs a task whose slot was claimed. Rejects when a store is away between two replicas: the job comes again.
   * @param row where its row is still being written: resolves when it is there: true; or will never be: false. Until then the engine may
   * decode, and nothing is shown
   */
  async runClaimed(pool: LivePool, claim: Claimed, row: Promise<boolean> | null = null): Promise<RunOutcome> {
    for (let now: Claim = { pool, claim }; ;) {
      const left = await this.runOn(this.begin(now), row);
      if (typeof left === 'string') return left;
      const { lost, unanswered } = left;
      const again = await this.claimAgain.run(lost, this.passedOver, unanswered === null);
      if (again === nowhere) return unanswered === null ? 'again' : this.wait(unanswered, row);
      if (typeof again === 'string') return again;
      if ('code' in again) return this.conclusion.fail(lost, again);
      now = again;
    }
  }

  /** Somebody else ended the task: stops the engine. */
  stopClosed(): void {
    this.attempt?.stop('closed');
  }

  /** The process stops: gives the task up so that another worker has it. */
  shutdown(): void {
    this.attempt?.stop('shutdown');
  }

  private begin({ pool, claim }: Claim): RunView {
    const lease = { poolId: this.poolId, replicaId: claim.replicaId, taskId: this.taskId, attempt: claim.attempt };
    this.slot.take(lease);
    return { pool, claim, lease, taskId: this.taskId, correlationId: this.context.correlationId };
  }

  private async runOn(view: RunView, row: Promise<boolean> | null): Promise<Left> {
    const { telemetry, measures, clock } = this.with_;
    const start = await this.startOf(view);
    if (typeof start === 'string') return start;
    telemetry.started(view);
    measures.started(view);
    if (start.kind !== 'fresh') telemetry.continued(view, start.kind);
    const attempt = new RunAttempt(this.with_, view, start, this.context);
    this.attempt = attempt;
    const result = await attempt.run(this.passedOver.at(clock.now()), row);
    this.attempt = null;
    const hasAnswered = attempt.writer.tokens > 0;
    if (result.kind === 'lost' && isLoss(result.error)) {
      return hasAnswered ? this.brokenOff(attempt, result) : this.elsewhere({ attempt, result }, row);
    }
    return isShutdown(result) && hasAnswered ? this.brokenOff(attempt, result) : this.conclusion.run(attempt, result);
  }

  /** How the attempt begins; `done`: the task has ended instead. */
  private async startOf(view: RunView): Promise<AttemptStart | RunOutcome> {
    if (view.claim.earlier === null) return { kind: 'fresh' };
    const plan = await untilDone(() => this.with_.continueRun.plan(view), this.context.signal);
    if (plan.kind === 'finished') return this.conclusion.finish(view);
    if (plan.kind === 'none') return this.conclusion.fail(view, notContinued(view, plan.reason));
    return plan;
  }

  /** The replica was lost before it had answered anything. */
  private async elsewhere(unanswered: Unanswered, row: Promise<boolean> | null): Promise<Left> {
    const { attempt, result } = unanswered;
    const { view } = attempt;
    this.passedOver.forGood(view.claim.replicaId);
    attempt.writer.abandon();
    this.with_.telemetry.replicaFailed(view, result.error.message);
    const pool = this.with_.pools.find(this.poolId) ?? view.pool;
    const isAnother = candidatesFor(pool, view.claim, this.passedOver.at(this.with_.clock.now())).length > 0;
    if (!isAnother && (await this.isOutage(view, result.error))) return this.wait(unanswered, row);
    await this.leave(view);
    return isAnother ? { lost: view, unanswered } : this.conclusion.run(attempt, result);
  }

  /** Whether the replica is gone, and has not just failed the task. All others know by then, too: none gets the slot for nothing. */
  private async isOutage({ lease, claim }: RunView, { isAway }: EngineError): Promise<boolean> {
    const { pools } = this.with_;
    await pools.look(lease.poolId);
    const replica = pools.find(lease.poolId)?.replicas.find(({ known }) => known.id === claim.replicaId);
    const isGone = replica === undefined || (!replica.ready && replica.circuit === 'closed');
    return isAway || isGone;
  }

  /** It waits in line for an engine, as it did before. */
  private async wait({ attempt, result }: Unanswered, row: Promise<boolean> | null): Promise<RunOutcome> {
    const { view } = attempt;
    const { backInLine, telemetry } = this.with_;
    const { signal } = this.context;
    await this.conclusion.letGo(view);
    // Its row must say that it runs before it can say that it waits.
    await attempt.opened;
    const isThere = row === null || (await row);
    const outcome = isThere ? await backInLine.enter(view, result.error, signal) : 'over';
    if (outcome === 'exhausted') return this.conclusion.run(attempt, result);
    // Before anything that may take long: the heartbeat must not take the slot up again.
    await this.slot.giveBack(view.lease);
    if (outcome === 'over') return 'done';
    telemetry.backInLine(view, result.error.message);
    await backInLine.follow(view, signal);
    return 'again';
  }

  /** The engine was lost, or this worker stops, and readers have seen tokens: all of them are in the log before anybody goes on. */
  private async brokenOff(attempt: RunAttempt, result: DecodeResult): Promise<Left> {
    const { view, writer } = attempt;
    const { continueRun, telemetry, clock } = this.with_;
    // Not kept: whoever holds the fence now knows more.
    if (!(await writer.flushed())) return this.conclusion.run(attempt, { kind: 'stopped', cause: 'shutdown' });
    const plan = await untilDone(() => continueRun.outlook(view, writer.tokens), this.context.signal);
    const reason = result.kind === 'lost' ? result.error.message : 'the worker stops';
    if (plan.kind === 'none') {
      if (result.kind === 'lost') return this.conclusion.run(attempt, result);
      return this.conclusion.fail(view, notContinued(view, plan.reason));
    }
    if (plan.kind === 'finished') return this.conclusion.finish(view);
    telemetry.brokenOff(view, writer.tokens, reason);
    await this.leave(view);
    if (result.kind !== 'lost') return 'again';
    this.passedOver.forAWhile(view.claim.replicaId, clock.now());
    return { lost: view, unanswered: null };
  }

  /** Gives the slot back: the engine has been let go of. */
  private async leave(view: RunView): Promise<void> {
    await Promise.all([this.slot.giveBack(view.lease), this.conclusion.letGo(view)]);
  }
}

function isShutdown(result: DecodeResult): boolean {
  return result.kind === 'stopped' && result.cause === 'shutdown';
}

function notContinued({ pool, lease }: RunView, reason: string) {
  return workerLost(`Its engine or worker was lost in the middle of the answer, and ${reason}.`, lease.poolId, pool);
}
