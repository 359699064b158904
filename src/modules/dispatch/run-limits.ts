import type { DecodeLimits } from './decode.js';
import type { RunView } from './run-view.js';

/** What is left of a task's time: wall time and session time run from the first begin of the answer, over all attempts. Pure. */
export function limitsOf({ pool, claim }: Pick<RunView, 'pool' | 'claim'>, nowMs: number): DecodeLimits {
  const { deadline_ms: deadlineMs, session_time_ms: sessionMs } = claim.request;
  const spentMs = Math.max(0, nowMs - claim.startedMs);
  return {
    wallMs: pool.config.timeouts.wall_ms - spentMs,
    deadlineMs: deadlineMs === null ? null : deadlineMs - nowMs,
    sessionMs: sessionMs === null ? null : sessionMs - spentMs,
  };
}

/** Which limit has passed; null: none. */
export function passedLimit({ wallMs, deadlineMs, sessionMs }: DecodeLimits): 'deadline' | 'session' | 'wall' | null {
  if (deadlineMs !== null && deadlineMs <= 0) return 'deadline';
  if (sessionMs !== null && sessionMs <= 0) return 'session';
  return wallMs <= 0 ? 'wall' : null;
}
