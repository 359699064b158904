import type { Priority } from '../../contract/common.js';
import {
  estimateRun,
  estimateStart,
  onTimeProbability,
  type Estimate,
  type LineView,
  type StartEstimate,
} from '../admission/index.js';
import { startsPerS, type LivePool } from '../pools/index.js';

const shortestRetryMs = 100;
const longestRetryMs = 60_000;

/** When a task that enters the line now would start. @param nowMs Unix ms */
export function predictStart(pool: LivePool, view: LineView, priority: Priority, nowMs: number): StartEstimate {
  const ofClass = (of: Readonly<Record<Priority, number>>): number =>
    priority === 'batch' ? of.interactive + of.batch : of.interactive;
  const ahead = ofClass(view.waiting);
  return estimateStart({
    priority,
    position: view.position,
    // Free slots are there for the first of them; who is ahead beside them is a batch task that has waited too long.
    tokensAhead:
      (ahead === 0 ? 0 : ofClass(view.tokens) * Math.min(1, view.position / ahead)) +
      Math.max(0, view.position - ahead) * (view.tokens.batch / Math.max(1, view.waiting.batch)),
    freeSlots: Math.max(0, pool.slots - view.busySlots),
    slots: pool.slots,
    running: pool.running,
    perf: pool.perf,
    hintMs: pool.config.admission.start_hint_ms,
    batchShare: pool.config.admission.batch_share,
    nowMs,
  });
}

/** How likely a task is out with its last token `budgetMs` from now; null before anything was measured. */
export function onTime(pool: LivePool, start: Estimate, tokens: number, budgetMs: number): number | null {
  const run = estimateRun(pool.perf, tokens);
  return run === null ? null : Math.round(onTimeProbability(start, run, budgetMs) * 1000) / 1000;
}

/**
 * Milliseconds until the next place in line comes free, from how often tasks started of late. A burst into free slots is not how fast a line
 * drains: it drains no faster than measured runs let go of slots.
 */
export function drainMs(pool: LivePool, nowMs: number): number {
  const { perf, config } = pool;
  const slots = Math.max(1, pool.slots);
  const perS = startsPerS(perf, 'interactive', nowMs) + startsPerS(perf, 'batch', nowMs);
  const measured = [...(perS > 0 ? [1000 / perS] : []), ...(perf.runMs.count > 0 ? [perf.runMs.mean / slots] : [])];
  const wait = measured.length === 0 ? config.admission.start_hint_ms / slots : Math.max(...measured);
  return Math.round(Math.min(longestRetryMs, Math.max(shortestRetryMs, wait)));
}
