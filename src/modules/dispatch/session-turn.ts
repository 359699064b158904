import type { MetricsEvent } from '../../contract/events.js';
import type { EventLog } from '../events/index.js';
import { budgetFields, type Sessions, type TurnBegin } from '../sessions/index.js';
import type { RunView } from './run-view.js';

/** What a run tells of its session: whether its KV cache is warm, and what may still be used. Empty for a task of no session. */
export type SessionFacts = Pick<
  MetricsEvent,
  'kv_warmth' | 'tokens_budget_remaining' | 'time_budget_remaining_ms' | 'cost_budget_remaining'
>;

/**
 * Notes with its session that a turn begins on a replica. Warm is who comes where the turn before ran last, unless it wants to run cold; the
 * run record keeps it for whoever ends the task. While Redis is away nothing is known, and nothing is claimed.
 */
export async function beginTurn(
  { sessions, eventLog }: { readonly sessions: Pick<Sessions, 'begin'>; readonly eventLog: Pick<EventLog, 'markWarm'> },
  { taskId, lease, claim: { request } }: Pick<RunView, 'taskId' | 'lease' | 'claim'>,
): Promise<SessionFacts> {
  const { session_id, generation } = request;
  if (session_id === undefined || generation === undefined) return {};
  const begun: TurnBegin | null = await sessions.begin({ session_id, generation }, taskId, lease).catch(() => null);
  const isWarm = begun?.isSame === true && request.kv_hint !== 'cold';
  // On the connection of the close: it is there first.
  if (isWarm) eventLog.markWarm(taskId).catch(() => undefined);
  return { kv_warmth: isWarm, ...(begun !== null && budgetFields(begun.left)) };
}
