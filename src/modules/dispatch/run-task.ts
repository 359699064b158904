import { EngineError } from '../../engines/engine-adapter.port.js';
import type { EngineRouter } from '../../engines/engine-router.port.js';
import type { Clock } from '../../platform/clock/clock.js';
import {
  endTemplate,
  errorTemplate,
  RunLogWriter,
  runningFence,
  type EventLog,
  type LogAppender,
} from '../events/index.js';
import type { Lease, Leases, LivePool, PoolRegistry } from '../pools/index.js';
import type { EndTask, TasksRepository } from '../tasks/index.js';
import { candidates } from './candidates.js';
import type { Claimed as Claim, ClaimTask } from './claim-task.js';
import { Decode, type DecodeResult, type StopCause } from './decode.js';
import type { DispatchTelemetry } from './dispatch.telemetry.js';
import { engineRequestOf, servedModelName } from './engine-call.js';
import { engineLost, isWorthAnother, outOfTime, workerLost } from './run-errors.js';
import type { RunMeasures } from './run-measures.js';
import type { RunView } from './run-view.js';
import { untilDone } from './until-done.js';

export interface RunCollaborators {
  readonly pools: PoolRegistry;
  readonly claim: ClaimTask;
  readonly leases: Leases;
  readonly measures: RunMeasures;
  readonly appender: LogAppender;
  readonly eventLog: Pick<EventLog, 'markStopped'>;
  readonly tasks: TasksRepository;
  readonly endTask: EndTask;
  readonly engines: EngineRouter;
  readonly telemetry: DispatchTelemetry;
  readonly clock: Clock;
}

/** What to do with the job. `again`: the task is still to be run, by this or another worker. */
export type RunOutcome = 'done' | 'again';

/** How a process stops: runs are told, and wait for none. */
export interface RunContext {
  readonly correlationId: string;
  readonly signal: AbortSignal;
}

const slotPollMs = 20;
const heldPollMs = 250;

/** Takes one admitted task to an engine and to its end. One object a job; `stop` may be called from outside at any time. */
export class RunTask {
  /** The lease held now: kept alive by the heartbeat of the process. */
  lease: Lease | null = null;
  private decode: Decode | null = null;
  /** Whether the engine answered to the end, and the task ended by it. */
  private hasAnswered = false;
  private settling: Promise<unknown> = Promise.resolve();
  /** Null: the row was there before. */
  private row: Promise<boolean> | null = null;

  constructor(
    readonly taskId: string,
    private readonly poolId: string,
    private readonly with_: RunCollaborators,
    private readonly context: RunContext,
  ) {}

  /** The transcript and row that follow a run; never rejects. */
  get settled(): Promise<unknown> {
    return this.settling;
  }

  /**
   * Runs a task whose slot was claimed. Rejects when a store is away between two replicas: the job comes again.
   * @param row where its row is still being written: resolves when it is there: true; or will never be: false. Until then the engine may
   * decode, and nothing is shown
   */
  async runClaimed(pool: LivePool, claim: Claim, row: Promise<boolean> | null = null): Promise<RunOutcome> {
    this.row = row;
    const tried = new Set<string>();
    for (let now = { pool, claim }; ;) {
      if (now.claim.tokens > 0)
        return this.giveUp(now.claim, 'The worker that ran the task died after it had begun to answer.');
      const next = await this.attempt(now.pool, now.claim, tried);
      if (next !== 'another replica') return next;
      const again = await this.claimAgain(tried);
      if (typeof again === 'string') return again;
      now = again;
    }
  }

  /** Somebody else ended the task: stops the engine. */
  stopClosed(): void {
    this.decode?.stop('closed');
  }

  /** The process stops: gives the task up so that another worker has it. */
  shutdown(): void {
    this.decode?.stop('shutdown');
  }

  /** A slot of a replica that the task has not failed on. */
  private async claimAgain(tried: ReadonlySet<string>): Promise<{ pool: LivePool; claim: Claim } | RunOutcome> {
    const { pools, claim } = this.with_;
    for (;;) {
      const pool = pools.find(this.poolId);
      if (pool === null) return 'again';
      const outcome = await claim.again(pool, candidates(pool, tried), this.taskId);
      if (outcome.kind === 'claimed') return { pool, claim: outcome };
      if (outcome.kind === 'closed') return 'done';
      const isWaitable = outcome.kind === 'full' || outcome.kind === 'held';
      if (!isWaitable || this.context.signal.aborted) return 'again';
      await new Promise((resolve) => setTimeout(resolve, outcome.kind === 'held' ? heldPollMs : slotPollMs));
    }
  }

  private async attempt(pool: LivePool, claim: Claim, tried: Set<string>): Promise<RunOutcome | 'another replica'> {
    const { telemetry, measures, appender, clock } = this.with_;
    const lease = { poolId: this.poolId, replicaId: claim.replicaId, taskId: this.taskId, attempt: claim.attempt };
    this.lease = lease;
    const run = { pool, claim, lease, taskId: this.taskId, correlationId: this.context.correlationId };
    telemetry.started(run);
    measures.started(run);
    const decode = new Decode(clock, (facts) => {
      const firstTokenMs = facts.firstTokenMs ?? 0;
      writer.metrics({
        phase: 'decoding',
        replica_id: claim.replicaId,
        first_token_ms: firstTokenMs,
        human: telemetry.firstToken(run, firstTokenMs),
      });
    });
    this.decode = decode;
    const writer = new RunLogWriter(
      appender,
      { taskId: this.taskId, attempt: claim.attempt, lastId: claim.lastId, tokens: claim.tokens },
      { onFencedOff: () => decode.stop('fenced'), onPause: () => decode.pause(), onResume: () => decode.resume() },
      { hold: true },
    );
    this.openRow(claim, writer, decode);
    const result = await this.decodeOn(pool, claim, { writer, decode, tried });
    this.decode = null;
    if (isWorthAnother(result, writer.tokens > 0)) {
      tried.add(claim.replicaId);
      writer.abandon();
      await Promise.all([this.release(lease), this.markStopped(claim)]);
      telemetry.replicaFailed(run, result.error.message);
      if (candidates(this.with_.pools.find(this.poolId) ?? pool, tried).length > 0) return 'another replica';
    }
    const outcome = await this.conclude(run, result, writer, decode);
    // Whoever ended the task instead may be asked whether the engine has stopped: only now it is known.
    if (!this.hasAnswered) void this.markStopped(claim);
    if (this.lease === lease) await this.release(lease);
    return outcome;
  }

  private decodeOn(
    pool: LivePool,
    claim: Claim,
    { writer, decode, tried }: { writer: RunLogWriter; decode: Decode; tried: ReadonlySet<string> },
  ): Promise<DecodeResult> {
    const { engines, clock } = this.with_;
    // Another replica is better than the same once more.
    const isLast = candidates(pool, new Set([...tried, claim.replicaId])).length === 0;
    const engine = engines.route(this.poolId, claim.replicaId, { mayAskAgain: isLast });
    if (engine === null) {
      return Promise.resolve({
        kind: 'lost',
        error: new EngineError('REPLICA_EXHAUSTED', `Replica ${claim.replicaId} is gone.`),
      });
    }
    const { request } = claim;
    const model = servedModelName(pool);
    const wanted = engineRequestOf(this.taskId, this.context.correlationId, request, model);
    const deadlineMs = request.deadline_ms === null ? null : request.deadline_ms - clock.now();
    return decode.run(engine, wanted, writer, { deadlineMs, sessionMs: request.session_time_ms });
  }

  /** The row says `running` before a reader may see a token: what was seen is never run again from the start. */
  private openRow(claim: Claim, writer: RunLogWriter, decode: Decode): void {
    const { tasks, clock } = this.with_;
    const start = { taskId: this.taskId, attempt: claim.attempt, replicaId: claim.replicaId, startedMs: clock.now() };
    const isFirst = claim.attempt === 1;
    const ready = (this.row ?? Promise.resolve(true)).then((isThere) => {
      // A row that is written after the claim says `running` from the start.
      if (!isThere || (this.row !== null && isFirst)) return isThere;
      return untilDone(() => tasks.markRunning(start), this.context.signal);
    });
    ready.then(
      (isOpen) => {
        if (isOpen) writer.release();
        else this.drop(writer, decode, 'row-ended');
      },
      () => this.drop(writer, decode, 'shutdown'),
    );
  }

  private drop(writer: RunLogWriter, decode: Decode, cause: StopCause): void {
    writer.abandon();
    decode.stop(cause);
  }

  private async conclude(
    run: RunView,
    result: DecodeResult,
    writer: RunLogWriter,
    decode: Decode,
  ): Promise<RunOutcome> {
    const fence = runningFence(run.claim.attempt);
    switch (result.kind) {
      case 'ended': {
        if (!(await writer.flushed())) return 'done';
        const { finishReason, ...usage } = result.usage;
        await this.close(
          run,
          endTemplate({ finish_reason: finishReason, kv_warmth: false }, usage),
          fence,
          decode,
          usage,
        );
        return 'done';
      }
      case 'lost':
        await writer.flushed();
        await this.close(run, errorTemplate(engineLost(result.error, writer.tokens > 0, run.pool)), fence, decode);
        return 'done';
      case 'stopped':
        return this.concludeStopped(run, result.cause, writer, decode);
    }
  }

  private async concludeStopped(
    run: RunView,
    cause: StopCause,
    writer: RunLogWriter,
    decode: Decode,
  ): Promise<RunOutcome> {
    const { pool, claim } = run;
    if (cause === 'deadline' || cause === 'wall' || cause === 'session') {
      await writer.flushed();
      const template = errorTemplate(outOfTime(cause, pool));
      await this.close(run, template, runningFence(claim.attempt), decode);
      return 'done';
    }
    if (cause !== 'shutdown') {
      writer.abandon();
      return 'done';
    }
    if (writer.tokens > 0) {
      await writer.flushed();
      return this.giveUp(claim, 'The worker that ran the task was stopped after it had begun to answer.');
    }
    writer.abandon();
    return 'again';
  }

  private async giveUp(claim: RunView['claim'], message: string): Promise<RunOutcome> {
    const pool = this.with_.pools.find(this.poolId);
    const error = workerLost(message, this.poolId, pool);
    await untilDone(
      () => this.with_.endTask.close(this.taskId, errorTemplate(error), runningFence(claim.attempt)),
      this.context.signal,
    );
    this.settle();
    await this.release({
      poolId: this.poolId,
      replicaId: claim.replicaId,
      taskId: this.taskId,
      attempt: claim.attempt,
    });
    return 'done';
  }

  private async close(
    run: RunView,
    template: string,
    fence: string,
    decode: Decode,
    usage?: { readonly tokensIn: number; readonly tokensOut: number },
  ): Promise<void> {
    const { endTask, telemetry, measures } = this.with_;
    const closing = untilDone(() => endTask.close(this.taskId, template, fence), this.context.signal);
    // The engine is done with the task: the slot is given back in the same trip.
    const [outcome] = await Promise.all([closing, this.release(run.lease)]);
    if (outcome.kind !== 'closed') return;
    this.hasAnswered = usage !== undefined;
    telemetry.ended(run, { ...outcome, ...usage }, decode.facts);
    this.settle();
    const { firstTokenMs } = decode.facts;
    if (firstTokenMs !== null) {
      const { tokensOut, decodeTimeMs } = outcome;
      measures.ended(run, { tokensOut, decodeTimeMs, firstTokenMs });
    }
  }

  /** Transcript and row follow behind: the reader has its end already, and the reconciler does it if we can't. */
  private settle(): void {
    const { endTask, telemetry } = this.with_;
    this.settling = endTask
      .settleSoon(this.taskId)
      .catch((error: unknown) => telemetry.leftToReconciler(this.taskId, error));
  }

  /** Said once the connection to the engine is closed. Not said because Redis is away: the receipt of a cancel says so. */
  private async markStopped({ attempt }: Claim): Promise<void> {
    await this.with_.eventLog.markStopped(this.taskId, attempt).catch(() => undefined);
  }

  private async release(lease: Lease): Promise<void> {
    if (this.lease === lease) this.lease = null;
    this.with_.measures.released(lease);
    // A lease that can't be given back runs out by itself.
    await this.with_.leases.release(lease).catch(() => undefined);
  }
}
