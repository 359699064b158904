import type { Priority } from '../../contract/common.js';
import {
  estimateRun,
  estimateStart,
  onTimeProbability,
  type Estimate,
  type LineBounds,
  type LineView,
  type StartEstimate,
} from '../admission/index.js';
import type { LivePool } from '../pools/index.js';

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

/** What a line that is full lets in, as its bounds say for a class. */
export type RoomBounds = Pick<LineBounds, 'capacity' | 'classCapacity'>;

/**
 * Milliseconds until a line that is full has room for one more of the class: in nine of ten cases whoever must start before that has started,
 * as the same model says that tells starts. @param nowMs Unix ms
 */
export function roomMs(pool: LivePool, view: LineView, priority: Priority, bounds: RoomBounds, nowMs: number): number {
  const { interactive, batch } = view.waiting;
  const free = Math.max(0, pool.slots - view.busySlots);
  const ofClass = view.waiting[priority];
  const overPool = starts(interactive + batch - free, bounds.capacity);
  const overClass = starts(ofClass - free, bounds.classCapacity);
  // A place of batch comes free only when all that is interactive has started.
  const first = priority === 'batch' && overClass > 0 ? interactive : 0;
  const afterStarts = (position: number, of: Priority): number => startsMs(pool, view, of, position, nowMs);
  const waits = [afterStarts(Math.max(1, overPool) - 1, 'interactive')];
  if (overClass > 0) waits.push(afterStarts(first + overClass - 1, priority));
  return Math.round(Math.min(longestRetryMs, Math.max(shortestRetryMs, ...waits)));
}

/** The same where nothing is known but that the line is full: when the next task leaves it. */
export function drainMs(pool: LivePool, nowMs: number): number {
  return roomMs(pool, fullView(pool), 'interactive', { capacity: null, classCapacity: null }, nowMs);
}

/** Tasks that must start before fewer wait than may. @param most null: no bound */
function starts(waiting: number, most: number | null): number {
  return most === null ? 0 : Math.max(0, waiting - most + 1);
}

/** When a task with so many before it has left the line, whether or not a slot is free this moment: somebody else is on the way to that. */
function startsMs(pool: LivePool, view: LineView, priority: Priority, position: number, nowMs: number): number {
  const busySlots = Math.max(view.busySlots, pool.slots);
  return predictStart(pool, { ...view, position, busySlots }, priority, nowMs).p90Ms;
}

function fullView({ slots }: LivePool): LineView {
  return { position: 0, waiting: { interactive: 0, batch: 0 }, tokens: { interactive: 0, batch: 0 }, busySlots: slots };
}
