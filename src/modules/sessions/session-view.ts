import type { Session } from '../../contract/sessions.js';
import { nanoPerUnit } from './budget.js';
import type { SessionView } from './sessions.js';

/**
 * A session as `GET /v2/sessions/{id}` shows it.
 * @param about `ttlMs` of a session that nobody uses; `kvBytes` that its replica is taken to keep of it, null: unknown
 */
export function sessionView(
  sessionId: string,
  view: SessionView,
  { ttlMs, kvBytes }: { readonly ttlMs: number; readonly kvBytes: number | null },
): Session {
  const { turns, left, lastRun } = view;
  return {
    session_id: sessionId,
    ttl_ms_remaining: view.ttlMs ?? ttlMs,
    turns,
    kv_bytes: kvBytes,
    kv_warmth: lastRun !== null,
    tokens_budget_remaining: left.tokens,
    time_budget_remaining_ms: left.timeMs,
    cost_budget_remaining: left.costNano === null ? null : left.costNano / nanoPerUnit,
    last_replica: lastRun === null ? null : `${lastRun.poolId}/${lastRun.replicaId}`,
  };
}
