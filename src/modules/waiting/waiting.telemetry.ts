import { narrate, type Log } from '../../platform/observability/logger.js';
import type { Metrics } from '../../platform/observability/metrics.js';
import { engineVersionOf, type LivePool } from '../pools/index.js';
import type { AssignedDecision, OpenTask } from '../tasks/index.js';
import { movedNarration } from './narration.js';

/** What looking after those who wait counts and tells: the metric and the log line of a business event together. */
export class WaitingTelemetry {
  constructor(
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  placedAgain(task: OpenTask, to: LivePool, decision: AssignedDecision, unreadyMs: number): void {
    const { pinned, fallback, candidates, reasons } = decision;
    this.metrics.placementDecided({ outcome: 'assigned', pinned, fallback, candidates: candidates.length });
    narrate(this.log, 'task placed again', movedNarration(unreadyMs, reasons[0] ?? ''), {
      correlation_id: task.correlationId,
      job_id: task.taskId,
      session_id: task.request.session_id ?? null,
      engine: to.config.engine.id,
      engine_version: engineVersionOf(to),
      pool_id: to.config.id,
      from_pool_id: task.poolId,
      placement_reasons: reasons,
    });
  }

  /** @param error why nobody who waits for the pool was told anything, or placed again, this time */
  lineFailed(poolId: string, error: unknown): void {
    const human =
      'Looking after those who wait for a pool failed; it is tried again every moment, and told once until it works.';
    this.log.warn({ pool_id: poolId, err: error, human }, 'line not looked after');
  }
}
