import type { EngineId } from '../../contract/common.js';
import type { PlacementWish } from '../../contract/task-request.js';

/** What placement knows of a pool at one moment. */
export interface PoolSnapshot {
  readonly id: string;
  readonly engine: EngineId;
  /** Every name tasks may call its model by. */
  readonly modelNames: readonly string[];
  readonly ready: boolean;
  /** One sentence on why it is not ready. */
  readonly unreadyReason: string | null;
  /** Context of one task, tokens; null while unknown. */
  readonly ctxMax: number | null;
  readonly deviceMasks: readonly string[];
  readonly slots: number;
  readonly activeLeases: number;
  readonly waiting: number;
  readonly vramFreeBytes: number | null;
  /** Measured decode speed of one task (tokens/s) and time to first token (ms); null before the first. */
  readonly tokensPerS: number | null;
  readonly firstTokenMs: number | null;
  /** Tokens that waiting tasks are expected to make. */
  readonly tokensWaiting: number;
}

/** What placement knows of a replica at one moment. */
export interface ReplicaSnapshot {
  readonly id: string;
  readonly ready: boolean;
  readonly slots: number;
  readonly activeLeases: number;
  readonly vramFreeBytes: number | null;
}

/** What placement needs to know of a task. */
export interface PlacementRequest {
  readonly modelRef: string;
  readonly engine: EngineId | undefined;
  /** Tokens of context the task needs at least. */
  readonly ctxNeeded: number;
  /** The field of the request that asks for it. */
  readonly ctxField: 'ctx' | 'max_tokens';
  readonly expectedTokens: number;
  readonly wish: PlacementWish | undefined;
}
