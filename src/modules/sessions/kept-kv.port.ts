import type { SessionHome } from './session-ledger.js';

/** What engines keep of sessions; implemented above, where pools are known. */
export interface KeptKv {
  /** Estimate of what the KV cache of so many tokens takes on a replica, bytes; null: nothing is known of it, or it can't have it any more. */
  bytesOf(home: SessionHome, tokens: number): number | null;
}
