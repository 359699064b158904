import type { Priority } from '../../contract/common.js';
import { expectedRunMs, startsPerS, z90, type PoolPerf } from '../pools/index.js';
import { startQuantile, type Queue } from './departures.js';
import { lognormalOf, normalDistribution, type Spread } from './normal.js';

/** What is known of a pool's speed and load, and of a task's place. */
export interface StartFacts {
  readonly priority: Priority;
  /** Waiting tasks that start before this one, those that free slots are there for taken off. */
  readonly position: number;
  readonly slots: number;
  readonly freeSlots: number;
  /** Tokens that those tasks are expected to make. */
  readonly tokensAhead: number;
  /** Tasks that hold a slot, as far as known. */
  readonly running: readonly { readonly expectedTokens: number; readonly startedMs: number }[];
  readonly perf: PoolPerf;
  /** Used while nothing was measured: ms for each task ahead. */
  readonly hintMs: number;
  /** Share of the slots that waiting batch tasks get whatever interactive ones do. */
  readonly batchShare: number;
  /** Unix ms */
  readonly nowMs: number;
}

/** A duration that is not known for sure, ms. */
export interface Estimate {
  readonly medianMs: number;
  /** Nine in ten come true within it. */
  readonly p90Ms: number;
}

/** When a task starts. */
export interface StartEstimate extends Estimate {
  /** What the model says before its calibration: median (ms) and spread of the logarithm. Null: it was not asked. */
  readonly model: { readonly ms: number; readonly spread: number } | null;
  /** False: a guess from the configuration, nothing was measured; `p90Ms` says nothing more. */
  readonly isKnown: boolean;
}

/** As much as two runs that were off by their own length: what is believed before runs were measured. */
const priorRuns = 2;
const longestMs = 365 * 86_400_000;
const leastSpread = 0.05;
/** Interactive tasks leave at least this share of the pool to batch in the long run, or the line would never end. */
const leastLeft = 0.05;

/**
 * Milliseconds until a task starts, from what was measured of its pool: see `startQuantile` for the model. Its median and spread are
 * then moved to where the waits of late came to lie (`PoolPerf.calibration`).
 */
export function estimateStart(facts: StartFacts): StartEstimate {
  const { position, perf } = facts;
  if (facts.freeSlots > 0 && position === 0) return { medianMs: 0, p90Ms: 0, model: null, isKnown: true };
  const slots = Math.max(1, facts.slots);
  const queue = queueOf(facts, slots);
  if (queue === null) {
    const guess = whole((facts.hintMs * (position + 1)) / slots);
    return { medianMs: guess, p90Ms: guess, model: null, isKnown: false };
  }
  const quantile = startQuantile(queue);
  const ms = quantile(0.5, 0);
  const spread = Math.max(leastSpread, Math.log(quantile(0.9, z90) / ms) / z90);
  const calibration = perf.calibration[facts.priority];
  const medianMs = whole(ms * Math.exp(spread * calibration.median));
  const p90Ms = whole(ms * Math.exp(spread * calibration.p90));
  return { medianMs, p90Ms: Math.max(medianMs, p90Ms), model: { ms: whole(ms), spread }, isKnown: true };
}

/** How long a task will hold its slot once it has one; null before anything was measured. */
export function estimateRun(perf: PoolPerf, tokens: number): Estimate | null {
  const mean = expectedRunMs(perf, tokens);
  if (mean === null || mean <= 0) return null;
  const { middle, width } = lognormalOf({ mean, variance: mean * mean * errorOf(perf) });
  const medianMs = whole(Math.exp(middle));
  return { medianMs, p90Ms: Math.max(medianMs, whole(Math.exp(middle + z90 * width))) };
}

/** How likely waiting and running are both over within `budgetMs`; the sum of two lognormals taken as one (Fenton 1960). */
export function onTimeProbability(start: Estimate, run: Estimate, budgetMs: number): number {
  if (budgetMs <= 0) return 0;
  const [wait, work] = [spreadOf(start), spreadOf(run)];
  const mean = wait.mean + work.mean;
  if (mean <= 0) return 1;
  const { middle, width } = lognormalOf({ mean, variance: wait.variance + work.variance });
  return normalDistribution((Math.log(budgetMs) - middle) / Math.max(width, 1e-3));
}

function queueOf(facts: StartFacts, slots: number): Queue | null {
  const { perf, position, tokensAhead, running, nowMs } = facts;
  const typical = expectedRunMs(perf, perf.asked.mean);
  const ahead = expectedRunMs(perf, position > 0 ? tokensAhead / position : perf.asked.mean);
  if (typical === null || ahead === null) return null;
  const c2 = perf.runMs.mean > 0 ? perf.runMs.variance / perf.runMs.mean ** 2 : 1;
  const error = errorOf(perf);
  return {
    slots,
    running: running.map(({ expectedTokens, startedMs }) => ({
      expectedMs: expectedRunMs(perf, expectedTokens) ?? typical,
      elapsedMs: nowMs - startedMs,
    })),
    ahead: position,
    aheadRun: relative(Math.max(1, ahead), Math.max(0.01, c2)),
    typicalRun: relative(Math.max(1, perf.runMs.mean), Math.max(0.01, c2)),
    error,
    overtaking: facts.priority === 'batch' ? overtakingOf(facts, slots) : { perMs: 0, runMs: 0 },
    doubt: Math.sqrt(error / Math.max(1, Math.min(perf.runError.count, 100))),
  };
}

function relative(mean: number, c2: number): Spread {
  return { mean, variance: c2 * mean * mean };
}

function overtakingOf({ perf, batchShare, nowMs }: StartFacts, slots: number): Queue['overtaking'] {
  const runMs = perf.interactiveRunMs.mean;
  if (runMs <= 0) return { perMs: 0, runMs: 0 };
  const most = ((1 - Math.max(leastLeft, batchShare)) * slots) / runMs;
  return { perMs: Math.min(startsPerS(perf, 'interactive', nowMs) / 1000, most), runMs };
}

/** Squared relative error of expected runs; begins at one (off by its own length) and is believed as runs are measured. */
function errorOf({ runError: { count, mean, variance } }: PoolPerf): number {
  const seen = mean > 0 ? variance / (mean * mean) : 1;
  return Math.max(1e-4, (priorRuns + count * seen) / (priorRuns + count));
}

function spreadOf({ medianMs, p90Ms }: Estimate): Spread {
  if (medianMs <= 0) return { mean: 0, variance: 0 };
  const width = Math.log(p90Ms / medianMs) / z90;
  const mean = medianMs * Math.exp((width * width) / 2);
  return { mean, variance: mean * mean * (Math.exp(width * width) - 1) };
}

function whole(milliseconds: number): number {
  return Math.round(Math.min(longestMs, Math.max(0, milliseconds)));
}
