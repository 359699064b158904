import type { MetricsEvent } from '../../contract/events.js';
import type { LineView } from '../admission/index.js';
import type { LivePool } from '../pools/index.js';
import { onTime, predictStart } from '../tasks/index.js';
import type { FollowedTask, LineLook } from './look-at-line.js';

/** Where a waiting task stands, in the words of its frame. */
export type Standing = MetricsEvent & { readonly queue_position: number; readonly queue_depth: number };

/** Place and prediction of a waiting task. Of a pool that is not ready nobody knows when anything starts. */
export function standingOf(pool: LivePool, look: LineLook, task: FollowedTask, nowMs: number): Standing {
  const { waiting, tokens, freeSlots } = look;
  const { priority, ahead, expectedTokens, deadlineMs } = task;
  const view: LineView = {
    position: Math.max(0, ahead - freeSlots),
    waiting,
    tokens,
    busySlots: Math.max(0, pool.slots - freeSlots),
  };
  const standing: Standing = {
    phase: 'queued',
    queue_position: view.position,
    queue_depth: waiting.interactive + waiting.batch,
  };
  if (!pool.ready) return standing;
  const start = predictStart(pool, view, priority, nowMs);
  if (!start.isKnown) return standing;
  const chance = deadlineMs === null ? null : onTime(pool, start, expectedTokens, deadlineMs - nowMs);
  return {
    ...standing,
    predicted_start_ms: start.medianMs,
    predicted_start_p90_ms: start.p90Ms,
    ...(chance !== null && { on_time_probability: chance }),
  };
}
