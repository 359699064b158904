import { EngineError } from '../../engines/engine-adapter.port.js';
import type { EngineRouter } from '../../engines/engine-router.port.js';
import type { Clock } from '../../platform/clock/clock.js';
import { RunLogWriter, type EventLog, type LogAppender } from '../events/index.js';
import type { Sessions } from '../sessions/index.js';
import type { TasksRepository } from '../tasks/index.js';
import { candidatesFor } from './candidates.js';
import type { ContinuationPlan } from './continuation-plan.js';
import { Decode, type DecodeFacts, type DecodeResult, type StopCause } from './decode.js';
import type { DispatchTelemetry } from './dispatch.telemetry.js';
import { engineRequestOf, servedModelName } from './engine-call.js';
import { originOf } from './origin.js';
import { PrefixCheck } from './prefix-check.js';
import type { RunContext } from './run-context.js';
import { limitsOf } from './run-limits.js';
import type { RunView } from './run-view.js';
import { beginTurn, type SessionFacts } from './session-turn.js';
import { untilDone } from './until-done.js';

export interface AttemptCollaborators {
  readonly appender: LogAppender;
  readonly tasks: TasksRepository;
  readonly eventLog: Pick<EventLog, 'markWarm'>;
  readonly sessions: Pick<Sessions, 'begin'>;
  readonly engines: EngineRouter;
  readonly telemetry: DispatchTelemetry;
  readonly clock: Clock;
  /** A run of a session has ended in this process. */
  readonly onSessionRun?: (sessionId: string | undefined) => void;
}

/** How an attempt begins: afresh, or behind what readers have seen. */
export type AttemptStart = { readonly kind: 'fresh' } | Extract<ContinuationPlan, { kind: 'longer-prompt' | 'repeat' }>;

/** One attempt of a task on the slot it claimed: the engine decodes into the log, behind the attempt's fence. */
export class RunAttempt {
  /** Writes the log behind this attempt's fence. */
  readonly writer: RunLogWriter;
  private readonly decode: Decode;
  private opening: Promise<void> = Promise.resolve();
  private turn: SessionFacts = {};
  private row: Promise<boolean> | null = null;

  constructor(
    private readonly with_: AttemptCollaborators,
    readonly view: RunView,
    readonly start: AttemptStart,
    private readonly context: RunContext,
  ) {
    const { claim, taskId } = view;
    const prefix = new PrefixCheck(start.kind === 'repeat' ? start.prefix : '');
    this.decode = new Decode(with_.clock, (facts) => this.onFirstToken(facts), prefix);
    this.writer = new RunLogWriter(
      with_.appender,
      { taskId, attempt: claim.attempt, lastId: claim.lastId, tokens: claim.tokens },
      {
        onFencedOff: () => this.stop('fenced'),
        onPause: () => this.decode.pause(),
        onResume: () => this.decode.resume(),
      },
      { hold: true },
    );
  }

  /** Resolves when the row says that it runs, or never will. */
  get opened(): Promise<void> {
    return this.opening;
  }

  /** Resolves when the task's row is there, or never will be. */
  async accepted(): Promise<void> {
    await this.row;
  }

  get facts(): DecodeFacts {
    return this.decode.facts;
  }

  /**
   * Decodes, and says how it went. Never rejects.
   * @param tried replicas that are not asked again
   * @param row where the row is still being written: true when it is there, false when it will never be; null: it was there before
   */
  async run(tried: ReadonlySet<string>, row: Promise<boolean> | null): Promise<DecodeResult> {
    this.row = row;
    this.openRow(row);
    this.turn = await beginTurn(this.with_, this.view);
    const result = await this.decodeOn(tried);
    this.with_.onSessionRun?.(this.view.claim.request.session_id);
    return result;
  }

  /** May be called at any time: the engine is let go of. */
  stop(cause: StopCause): void {
    this.decode.stop(cause);
  }

  private async decodeOn(tried: ReadonlySet<string>): Promise<DecodeResult> {
    const { pool, claim, lease, taskId, correlationId } = this.view;
    const { engines, clock } = this.with_;
    // Another replica is better than the same once more.
    const isLast = candidatesFor(pool, claim, new Set([...tried, claim.replicaId])).length === 0;
    const engine = engines.route(lease.poolId, claim.replicaId, { mayAskAgain: isLast });
    if (engine === null) {
      const error = new EngineError('REPLICA_EXHAUSTED', `Replica ${claim.replicaId} is gone.`, { isAway: true });
      return { kind: 'lost', error };
    }
    const asked = engineRequestOf(taskId, correlationId, claim.request, servedModelName(pool));
    const wanted = this.start.kind === 'longer-prompt' ? { ...asked, work: this.start.work } : asked;
    return this.decode.run(engine, wanted, this.writer, limitsOf(this.view, clock.now()));
  }

  /** The row says `running` before a reader may see a token: what was seen is never run again from the start. */
  private openRow(row: Promise<boolean> | null): void {
    const { taskId, claim } = this.view;
    const { tasks, clock } = this.with_;
    const start = { taskId, attempt: claim.attempt, replicaId: claim.replicaId, startedMs: clock.now() };
    const isFirst = claim.attempt === 1;
    const ready = (row ?? Promise.resolve(true)).then((isThere) => {
      // A row that is written after the claim says `running` from the start.
      if (!isThere || (row !== null && isFirst)) return isThere;
      return untilDone(() => tasks.markRunning(start), this.context.signal);
    });
    this.opening = ready.then(
      (isOpen) => {
        if (isOpen) this.writer.release();
        else this.drop('row-ended');
      },
      () => this.drop('shutdown'),
    );
  }

  private drop(cause: StopCause): void {
    this.writer.abandon();
    this.stop(cause);
  }

  private onFirstToken({ firstTokenMs, tokensIn }: DecodeFacts): void {
    const { view, with_ } = this;
    const replica = { phase: 'decoding', replica_id: view.claim.replicaId, ...this.turn };
    if (this.start.kind !== 'fresh') {
      this.writer.metrics({ ...replica, human: 'The answer goes on where it was broken off.' });
      return;
    }
    const afterMs = firstTokenMs ?? 0;
    this.writer.noteFirstToken(afterMs, tokensIn, originOf(view));
    this.writer.metrics({ ...replica, first_token_ms: afterMs, human: with_.telemetry.firstToken(view, afterMs) });
  }
}
