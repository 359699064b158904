import type { Clock } from '../../platform/clock/clock.js';
import { newUuid } from '../../platform/ids/uuid.js';
import { leftOf, type Budgets, type SessionLimits, type TokenPrice } from './budget.js';
import type { SessionEvictionsRepository } from './session-evictions.repository.js';
import type { LedgerReply, SessionHome, SessionLedger, SessionState, TurnWish } from './session-ledger.js';
import { stayMsOf } from './session-life.js';
import type { Turn, TurnHistory, TurnRecord } from './turn-history.port.js';

/** Whether a turn may enter. `left` is what the session may still use then. */
export type Reservation =
  | { readonly kind: 'reserved'; readonly turn: Turn; readonly left: Budgets }
  | { readonly kind: 'refused'; readonly over: Exclude<LedgerReply['kind'], 'reserved'>; readonly left: Budgets };

/** A turn that has begun. `isSame`: the turn before it ran on the same replica. `left` is what the session may still use. */
export interface TurnBegin {
  readonly isSame: boolean;
  readonly left: Budgets;
}

/** A session as it stands. */
export interface SessionView extends SessionState {
  readonly left: Budgets;
}

/** The sessions of this deployment, the same ones for every process. Every method rejects when a store is away. */
export class Sessions {
  constructor(
    readonly limits: SessionLimits,
    private readonly ledger: SessionLedger,
    private readonly history: TurnHistory,
    private readonly evictions: SessionEvictionsRepository,
    private readonly clock: Clock,
  ) {}

  /** Null: unknown, or expired. */
  async find(sessionId: string): Promise<SessionView | null> {
    let state = await this.ledger.read(sessionId);
    if (state === null && (await this.restore(sessionId))) state = await this.ledger.read(sessionId);
    return state === null ? null : { ...state, left: leftOf(this.limits.budgets, state.taken) };
  }

  /** Where its last turn began, as far as Redis knows; null: nowhere yet. */
  async homeOf(sessionId: string): Promise<SessionHome | null> {
    return (await this.ledger.read(sessionId))?.lastRun ?? null;
  }

  /** A turn begins on a replica. Null: its session was forgotten meanwhile. */
  async begin(
    turn: Pick<Turn, 'session_id' | 'generation'>,
    taskId: string,
    where: SessionHome,
  ): Promise<TurnBegin | null> {
    const begun = await this.ledger.begin(turn, taskId, where);
    return begun === null ? null : { isSame: begun.isSame, left: leftOf(this.limits.budgets, begun.taken) };
  }

  /** Of these sessions, those that were deleted or have expired, as far as Redis knows. */
  gone(sessionIds: readonly string[]): Promise<string[]> {
    return this.ledger.missing(sessionIds);
  }

  /** Lets a turn in and reserves for it, in one step for all processes; begins the session where there is none. */
  reserve(sessionId: string, wish: TurnWish, price: TokenPrice): Promise<Reservation> {
    return this.ask(sessionId, wish, price, false);
  }

  /** What `reserve` would answer now. Takes nothing, and begins no session. */
  foresee(sessionId: string, wish: TurnWish, price: TokenPrice): Promise<Reservation> {
    return this.ask(sessionId, wish, price, true);
  }

  private async ask(sessionId: string, wish: TurnWish, price: TokenPrice, onlyLooks: boolean): Promise<Reservation> {
    const { ledger, limits } = this;
    let reply = await ledger.reserve(sessionId, wish, null, onlyLooks);
    if (reply === null) {
      await this.restore(sessionId);
      reply = await ledger.reserve(sessionId, wish, newUuid(), onlyLooks);
    }
    if (reply === null) throw new Error('a session can be begun');
    const left = leftOf(limits.budgets, reply.taken);
    if (reply.kind !== 'reserved') return { kind: 'refused', over: reply.kind, left };
    const turn = {
      session_id: sessionId,
      generation: reply.generation,
      tokens: wish.most.tokens,
      time_ms: limits.budgets.timeMs === null ? null : reply.timeMs,
      cost_nano: wish.most.costNano,
      price_in_nano: price.inNano,
      price_out_nano: price.outNano,
    };
    return { kind: 'reserved', turn, left };
  }

  /** The task was not accepted after all. */
  async withdraw(taskId: string, turn: Turn): Promise<void> {
    await this.ledger.withdraw(turn.session_id, taskId, turn.generation);
  }

  /** Replaces what an ended turn had reserved by what it has used. Doing it twice is the same as once. */
  async settle(ended: TurnRecord): Promise<void> {
    await this.ledger.record([ended], { make: false, stayMs: this.limits.ttlMs });
  }

  /** Forgets a session; its open tasks go on, and count nowhere. Gives what it was; null: there was none. */
  async evict(sessionId: string): Promise<SessionView | null> {
    const view = await this.find(sessionId);
    if (view === null) return null;
    // First, so that its turns don't come back from their records.
    await this.evictions.add(sessionId, view.generation, this.clock.now());
    await this.ledger.forget(sessionId);
    return view;
  }

  /** Makes a session again that Redis doesn't have, from the records of its turns. False: it has expired, was evicted, or never was. */
  private async restore(sessionId: string): Promise<boolean> {
    const [turns, evicted] = await Promise.all([
      this.history.latestTurns(sessionId),
      this.evictions.generationOf(sessionId),
    ]);
    const stayMs = stayMsOf(turns, this.limits.ttlMs, this.clock.now());
    if (stayMs === null || turns[0]?.turn.generation === evicted) return false;
    return this.ledger.record(turns, { make: true, stayMs });
  }
}
