import type { Priority } from '../../contract/common.js';

/** Mean and variance of a measure; the newest samples weigh most. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

/** How often something happens: a count that fades with time. */
export interface Rate {
  readonly faded: number;
  /** Unix ms of the first and of the last time it happened; null: never yet. */
  readonly sinceMs: number | null;
  readonly atMs: number;
}

/**
 * Where the median and the 90 % quantile of real waits lie, in spreads from the median that the model predicts: 0 and 1.28 for a model that
 * is right.
 */
export interface Calibration {
  readonly median: number;
  readonly p90: number;
  readonly count: number;
}

/** The 90 % quantile of the standard normal distribution. */
export const z90 = 1.2815515655446004;

/** What was measured of a pool; all processes share it. */
export interface PoolPerf {
  /** Decode speed of one task, tokens/s. */
  readonly tokensPerS: number | null;
  readonly firstTokenMs: number | null;
  /** Output of a task, tokens. */
  readonly taskTokens: number | null;
  /** Tokens that a task was expected to make. */
  readonly asked: Moments;
  /** From the first to the last token, ms. */
  readonly decodeMs: Moments;
  /** How long a task held its slot, ms: all tasks, and the interactive ones. */
  readonly runMs: Moments;
  readonly interactiveRunMs: Moments;
  /** Real run time over the one that was expected then. */
  readonly runError: Moments;
  readonly starts: Readonly<Record<Priority, Rate>>;
  readonly calibration: Readonly<Record<Priority, Calibration>>;
}

/** A task that has run to its end. */
export interface RunSample {
  readonly priority: Priority;
  readonly tokensOut: number;
  /** Tokens it was expected to make (or read, where it makes none) when it was accepted. */
  readonly askedTokens: number;
  readonly runMs: number;
  /** Null: it made no tokens; then `askedTokens` are those that it read. */
  readonly firstTokenMs: number | null;
}

/** A task that has started. */
export interface StartSample {
  readonly priority: Priority;
  /** Unix ms */
  readonly atMs: number;
  /** How long it waited, and the median and spread (of its logarithm) that the model gave; null when it did not wait, or nothing was measured. */
  readonly wait: { readonly actualMs: number; readonly modelMs: number; readonly spread: number } | null;
}

const noMoments: Moments = { count: 0, mean: 0, variance: 0 };
const noRate: Rate = { faded: 0, sinceMs: null, atMs: 0 };
const trusted: Calibration = { median: 0, p90: z90, count: 0 };

/** Nothing was measured yet. */
export const unmeasured: PoolPerf = {
  tokensPerS: null,
  firstTokenMs: null,
  taskTokens: null,
  asked: noMoments,
  decodeMs: noMoments,
  runMs: noMoments,
  interactiveRunMs: noMoments,
  runError: noMoments,
  starts: { interactive: noRate, batch: noRate },
  calibration: { interactive: trusted, batch: trusted },
};

/** Weight of the newest task: speed follows the load of the last ten, lengths are remembered for about fifty. */
const speedWeight = 0.1;
const lengthWeight = 0.02;
/** Starts fade to a third within this time. */
const fadeMs = 60_000;
/** Later starts move the calibration by this at the least: about the last hundred count. */
const calibrationStep = 0.03;
/** Beyond it a wait says that something stood still, not how long waits are. */
const widest = 4;

/** Milliseconds that a task holds its slot when it is expected to make (or read, where it makes none) so many tokens; null before anything was measured. */
export function expectedRunMs(perf: PoolPerf, tokens: number): number | null {
  if (perf.asked.mean <= 0) return null;
  return (perf.firstTokenMs ?? 0) + (perf.decodeMs.mean / perf.asked.mean) * tokens;
}

/** Counts a finished task in. */
export function withRun(perf: PoolPerf, run: RunSample): PoolPerf {
  const { firstTokenMs } = run;
  const decodeMs = Math.max(0, run.runMs - (firstTokenMs ?? 0));
  const speed = run.tokensOut > 1 && decodeMs > 0 ? ((run.tokensOut - 1) / decodeMs) * 1000 : null;
  const expectedMs = expectedRunMs(perf, run.askedTokens);
  return {
    ...perf,
    tokensPerS: blend(perf.tokensPerS, speed, perf.runMs.count),
    firstTokenMs: blend(perf.firstTokenMs, firstTokenMs, perf.runMs.count),
    taskTokens: blend(perf.taskTokens, firstTokenMs === null ? null : run.tokensOut, perf.runMs.count),
    asked: withSample(perf.asked, Math.max(1, run.askedTokens)),
    decodeMs: withSample(perf.decodeMs, decodeMs),
    runMs: withSample(perf.runMs, run.runMs),
    interactiveRunMs:
      run.priority === 'interactive' ? withSample(perf.interactiveRunMs, run.runMs) : perf.interactiveRunMs,
    runError:
      expectedMs === null || expectedMs <= 0
        ? perf.runError
        : withSample(perf.runError, Math.min(10, run.runMs / expectedMs)),
  };
}

/** Counts a start in, and what came of its prediction. */
export function withStart(perf: PoolPerf, start: StartSample): PoolPerf {
  const { priority, atMs, wait } = start;
  const starts = { ...perf.starts, [priority]: again(perf.starts[priority], atMs) };
  if (wait === null) return { ...perf, starts };
  const calibration = { ...perf.calibration, [priority]: calibrated(perf.calibration[priority], wait) };
  return { ...perf, starts, calibration };
}

/** Starts per second of late. @param nowMs Unix ms */
export function startsPerS(perf: PoolPerf, priority: Priority, nowMs: number): number {
  const { faded, sinceMs, atMs } = perf.starts[priority];
  if (sinceMs === null) return 0;
  const seen = 1 - Math.exp(-Math.max(1000, nowMs - sinceMs) / fadeMs);
  return (faded * Math.exp(-Math.max(0, nowMs - atMs) / fadeMs) * 1000) / (fadeMs * seen);
}

function again({ faded, sinceMs, atMs }: Rate, nowMs: number): Rate {
  const left = sinceMs === null ? 0 : faded * Math.exp(-Math.max(0, nowMs - atMs) / fadeMs);
  return { faded: left + 1, sinceMs: sinceMs ?? nowMs, atMs: Math.max(atMs, nowMs) };
}

/**
 * Quantile tracking by stochastic approximation (Robbins and Monro 1951): a wait above the quantile raises it by more, or less, than one below
 * lowers it, in the ratio that balances where half and nine tenths lie below. What it learns from does not depend on what was told, so
 * that predictions under way can't make it swing.
 */
function calibrated({ median, p90, count }: Calibration, wait: NonNullable<StartSample['wait']>): Calibration {
  const off = Math.log(Math.max(1, wait.actualMs) / Math.max(1, wait.modelMs)) / Math.max(0.02, wait.spread);
  const step = Math.max(calibrationStep, 0.5 / (count + 5));
  return {
    median: bounded(median + step * (off > median ? 0.5 : -0.5)),
    p90: bounded(p90 + step * 2 * (off > p90 ? 0.9 : -0.1)),
    count: count + 1,
  };
}

function bounded(value: number): number {
  return Math.min(widest, Math.max(-widest, value));
}

/** Exponentially weighted mean and variance (Finch, "Incremental calculation of weighted mean and variance", 2009, §9); plain ones at first. */
function withSample({ count, mean, variance }: Moments, value: number): Moments {
  const weight = Math.max(lengthWeight, 1 / (count + 1));
  const step = weight * (value - mean);
  return { count: count + 1, mean: mean + step, variance: (1 - weight) * (variance + (value - mean) * step) };
}

function blend(before: number | null, newest: number | null, count: number): number | null {
  if (newest === null) return before;
  return before === null ? newest : before + Math.max(speedWeight, 1 / (count + 1)) * (newest - before);
}
