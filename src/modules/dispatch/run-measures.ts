import type { Clock } from '../../platform/clock/clock.js';
import type { Metrics } from '../../platform/observability/metrics.js';
import type { Lease, PoolPerfRecorder, RunningBoard } from '../pools/index.js';
import type { RunView } from './run-view.js';
import { labelsOf } from './labels.js';

/** What running tasks teach about their pools: who runs now, how long runs take, how often they start, how good predictions were. */
export class RunMeasures {
  constructor(
    private readonly perf: PoolPerfRecorder,
    private readonly running: RunningBoard,
    private readonly metrics: Metrics,
    private readonly clock: Clock,
  ) {}

  /** A task holds a slot from now on. */
  started(run: RunView): void {
    const { poolId } = run.lease;
    const { attempt, request } = run.claim;
    const now = this.clock.now();
    this.running.begin(poolId, nameOf(run.lease), { expectedTokens: request.expected_tokens, startedMs: now });
    // Whoever begins once more has waited for something else than its turn.
    if (attempt > 1) return;
    const { told, priority } = request;
    const actualMs = told === null ? 0 : Math.max(0, now - told.since_ms);
    const wait = told === null ? null : { actualMs, modelMs: told.model_ms, spread: told.spread };
    this.perf.recordStart(poolId, { priority, atMs: now, wait });
    if (told === null) return;
    const { engine, engineVersion } = labelsOf(run);
    const isInside = actualMs <= told.p90_ms;
    this.metrics.waitWasPredicted({ engine, engineVersion, poolId, priority }, actualMs - told.median_ms, isInside);
  }

  /** The slot is given back. */
  released(lease: Lease): void {
    this.running.end(lease.poolId, nameOf(lease));
  }

  /** The task was closed by its run. */
  ended(run: RunView, sample: { tokensOut: number; decodeTimeMs: number; firstTokenMs: number | null }): void {
    const { priority, expected_tokens: askedTokens } = run.claim.request;
    const { tokensOut, decodeTimeMs: runMs, firstTokenMs } = sample;
    this.perf.recordRun(run.lease.poolId, { priority, tokensOut, askedTokens, runMs, firstTokenMs });
  }
}

function nameOf({ taskId, attempt }: Lease): string {
  return `${taskId}:${attempt}`;
}
