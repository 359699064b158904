import type { Priority } from '../../contract/common.js';
import { estimateRun, type Line } from '../admission/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { AdmissionGate, Draft } from './draft.js';
import { lineViewOf } from './pool-snapshot.js';
import { onTime, predictStart } from './predict-start.js';
import { deadlineUnmet } from './refusals.js';
import { expectedTokens } from './task-record.js';

/** Below this chance a deadline is refused: who would make it once in ten times is let try. */
const leastChance = 0.1;

/** Refuses tasks whose deadline is out of reach, judged by what was measured of the pool; before anything was, none. */
export class DeadlineGate implements AdmissionGate {
  constructor(
    private readonly line: Line,
    private readonly pools: PoolRegistry,
    private readonly clock: Clock,
  ) {}

  /** Rejects with DEADLINE_UNMET and the deadline that would be met every other time. Asks Redis for tasks with a deadline only. */
  async enter({ request, pool }: Draft): Promise<void> {
    const { deadline_ms: deadlineMs, priority } = request;
    const tokens = expectedTokens(request);
    const run = deadlineMs === undefined ? null : estimateRun(pool.perf, tokens);
    if (deadlineMs === undefined || run === null) return;
    const view = await this.look(pool, priority);
    const start = predictStart(pool, view, priority, this.clock.now());
    const chance = onTime(pool, start, tokens, deadlineMs) ?? 1;
    const earliestMs = start.medianMs + run.medianMs;
    if (chance < leastChance && deadlineMs < earliestMs) throw deadlineUnmet(pool, deadlineMs, Math.ceil(earliestMs));
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  /** The line as a task finds it that enters now. */
  private async look(pool: LivePool, priority: Priority) {
    const [depth, free] = await Promise.all([
      this.line.depthAndTokens(pool.config.id),
      this.line.freeSlots({ slots: pool.slots, ...this.pools.keysOf(pool) }),
    ]);
    return lineViewOf(pool, depth, priority, pool.slots - free);
  }
}
