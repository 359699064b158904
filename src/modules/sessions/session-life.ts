import type { TurnRecord } from './turn-history.port.js';

/**
 * Milliseconds until a session of these turns is forgotten, counted from the last time one entered or ended; null: it has been already, or
 * there are none. While a turn is open it stays.
 */
export function stayMsOf(
  turns: readonly Pick<TurnRecord, 'used' | 'createdMs' | 'endedMs'>[],
  ttlMs: number,
  nowMs: number,
): number | null {
  if (turns.length === 0) return null;
  if (turns.some(({ used }) => used === null)) return ttlMs;
  const last = Math.max(...turns.map(({ createdMs, endedMs }) => Math.max(createdMs, endedMs ?? 0)));
  // A clock that was ahead of ours doesn't make it live longer.
  const stayMs = Math.min(ttlMs, last + ttlMs - nowMs);
  return stayMs > 0 ? stayMs : null;
}
