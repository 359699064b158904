import type { EventLog } from '../events/index.js';
import type { Lease, Leases, LivePool, PoolRegistry } from '../pools/index.js';
import { candidates } from './candidates.js';
import type { Claimed, ClaimTask } from './claim-task.js';
import { ConcludeRun, type ConclusionCollaborators } from './conclude-run.js';
import { HeldSlot } from './held-slot.js';
import { RunAttempt, type AttemptCollaborators } from './run-attempt.js';
import type { RunContext, RunOutcome } from './run-context.js';
import { isWorthAnother, workerLost } from './run-errors.js';
import type { RunView } from './run-view.js';

export interface RunCollaborators extends AttemptCollaborators, ConclusionCollaborators {
  readonly pools: PoolRegistry;
  readonly claim: ClaimTask;
  readonly leases: Leases;
  readonly eventLog: Pick<EventLog, 'markStopped' | 'markWarm'>;
}

const slotPollMs = 20;
const heldPollMs = 250;

/** A slot claimed for a task. */
interface Claim {
  readonly pool: LivePool;
  readonly claim: Claimed;
}

/** Takes one admitted task to its end, over as many attempts as it needs. One object a job; `stop…` may be called from outside at any time. */
export class RunTask {
  private readonly slot: HeldSlot;
  private readonly conclusion: ConcludeRun;
  private attempt: RunAttempt | null = null;

  constructor(
    readonly taskId: string,
    private readonly poolId: string,
    private readonly with_: RunCollaborators,
    private readonly context: RunContext,
  ) {
    this.slot = new HeldSlot(with_.leases, with_.measures);
    this.conclusion = new ConcludeRun(with_, this.slot, context.signal);
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
    const tried = new Set<string>();
    for (let now: Claim = { pool, claim }; ;) {
      const next = await this.runOn(this.begin(now), tried, row);
      if (next !== 'another replica') return next;
      const again = await this.claimAgain(tried);
      if (typeof again === 'string') return again;
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

  private async runOn(
    view: RunView,
    tried: Set<string>,
    row: Promise<boolean> | null,
  ): Promise<RunOutcome | 'another replica'> {
    const { telemetry, measures } = this.with_;
    if (view.claim.tokens > 0) {
      const message = 'The worker that ran the task died after it had begun to answer.';
      return this.conclusion.fail(view, workerLost(message, this.poolId, view.pool));
    }
    telemetry.started(view);
    measures.started(view);
    const attempt = new RunAttempt(this.with_, view, this.context);
    this.attempt = attempt;
    const result = await attempt.run(tried, row);
    this.attempt = null;
    if (!isWorthAnother(result, attempt.writer.tokens > 0)) return this.conclusion.run(attempt, result);
    tried.add(view.claim.replicaId);
    attempt.writer.abandon();
    await Promise.all([this.slot.giveBack(view.lease), this.conclusion.letGo(view)]);
    telemetry.replicaFailed(view, result.error.message);
    const pool = this.with_.pools.find(this.poolId) ?? view.pool;
    return candidates(pool, tried).length > 0 ? 'another replica' : this.conclusion.run(attempt, result);
  }

  /** A slot of a replica that the task has not failed on. */
  private async claimAgain(tried: ReadonlySet<string>): Promise<Claim | RunOutcome> {
    const { pools, claim } = this.with_;
    for (;;) {
      const pool = pools.find(this.poolId);
      if (pool === null) return 'again';
      const outcome = await claim.again(pool, candidates(pool, tried), this.taskId);
      if (outcome.kind === 'claimed') return { pool, claim: outcome };
      if (outcome.kind === 'closed') return 'done';
      const isWaitable = outcome.kind === 'full' || outcome.kind === 'blocked' || outcome.kind === 'held';
      if (!isWaitable || this.context.signal.aborted) return 'again';
      await new Promise((resolve) => setTimeout(resolve, outcome.kind === 'held' ? heldPollMs : slotPollMs));
    }
  }
}
