import type { Amounts } from './budget.js';

/** What a turn was let in with, as it is kept with its task: enough to account for it when Redis has lost the session. */
export interface Turn {
  readonly session_id: string;
  /** Tells this session from earlier ones of the same id. */
  readonly generation: string;
  /** Reserved until it ends. */
  readonly tokens: number;
  /** The longest it may run, reserved; null: the session has no time budget. */
  readonly time_ms: number | null;
  readonly cost_nano: number;
  /** Prices of its pool when it entered, see TokenPrice. */
  readonly price_in_nano: number;
  readonly price_out_nano: number;
}

/** A turn and what became of it. */
export interface TurnRecord {
  readonly taskId: string;
  readonly turn: Turn;
  /** Null while it is open. */
  readonly used: Amounts | null;
  /** Unix ms */
  readonly createdMs: number;
  /** Unix ms; null while it is open. */
  readonly endedMs: number | null;
  readonly poolId: string;
  /** Null before it began. */
  readonly replicaId: string | null;
}

/** Where turns are recorded for good. */
export interface TurnHistory {
  /** The turns of the newest generation of a session, oldest first; empty: there were none. Rejects when the records can't be read. */
  latestTurns(sessionId: string): Promise<TurnRecord[]>;
}
