import { estimateRun, type Line } from '../admission/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { AdmissionGate, Draft } from './draft.js';
import { lineBounds } from './line-bounds.js';
import { onTime, predictStart } from './predict-start.js';
import { deadlineUnmet } from './refusals.js';
import { expectedTokens } from './task-record.js';

/** Below this chance a deadline is refused: who would make it once in ten times is let try. */
const leastChance = 0.1;

/** Refuses tasks whose deadline is out of reach, judged by what was measured of the pool; before anything was, none. */
export class DeadlineGate implements AdmissionGate {
  constructor(
    private readonly line: Pick<Line, 'foresee'>,
    private readonly pools: PoolRegistry,
    private readonly clock: Clock,
  ) {}

  /** Rejects with DEADLINE_UNMET and the deadline that would be met every other time. Asks Redis for tasks with a deadline only. */
  async enter(draft: Draft): Promise<void> {
    const { taskId, request, pool } = draft;
    const { deadline_ms: deadlineMs, priority } = request;
    const tokens = expectedTokens(request);
    const run = deadlineMs === undefined ? null : estimateRun(pool.perf, tokens);
    if (deadlineMs === undefined || run === null) return;
    const entry = { taskId, poolId: pool.config.id, priority, expectedTokens: tokens };
    const { view } = await this.line.foresee(entry, lineBounds(pool, priority, this.pools));
    const start = predictStart(pool, view, priority, this.clock.now());
    draft.foreseen = { view, start };
    const chance = onTime(pool, start, tokens, deadlineMs) ?? 1;
    const earliestMs = start.medianMs + run.medianMs;
    if (chance < leastChance && deadlineMs < earliestMs) throw deadlineUnmet(pool, deadlineMs, Math.ceil(earliestMs));
  }

  /** It takes nothing anyway. */
  foresee(draft: Draft): Promise<void> {
    return this.enter(draft);
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }
}
