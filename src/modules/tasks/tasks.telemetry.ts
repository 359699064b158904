import { AppError } from '../../platform/errors/app-error.js';
import type { CancelReason, Metrics, ReplicaLabels } from '../../platform/observability/metrics.js';
import { narrate, type Log, type LogFields } from '../../platform/observability/logger.js';
import type { Decision } from '../placement/index.js';
import { engineVersionOf, type LivePool } from '../pools/index.js';
import type { NewTask } from './task-record.js';

export type CancelCause = CancelReason;

/** Of the pools that a task could not be placed in. */
const mostShown = 16;

interface Asker {
  readonly correlationId: string;
  readonly identity: string;
}

/** What the way into the house counts and tells: the metric and the log line of a business event together. */
export class TasksTelemetry {
  constructor(
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  /** A decision of placement. Which pool was chosen and why stands in the line of the task's acceptance; why none was, in one of its own. */
  placed(decision: Decision, { correlationId, identity }: Asker): void {
    const isAssigned = decision.kind === 'assigned';
    this.metrics.placementDecided({
      outcome: isAssigned ? 'assigned' : 'none',
      pinned: isAssigned && decision.pinned,
      fallback: isAssigned && decision.fallback,
      candidates: decision.candidates.length,
    });
    if (isAssigned || !this.log.isLevelEnabled('info')) return;
    narrate(this.log, 'task not placed', 'No pool can take a task.', {
      correlation_id: correlationId,
      code: decision.code,
      pool_id: decision.poolId ?? '',
      reasons: [decision.message],
      candidates: decision.candidates.slice(0, mostShown).map(({ poolId, reasons }) => ({ pool_id: poolId, reasons })),
      candidates_considered: decision.candidates.length,
      identity,
    });
  }

  /** The bound of a line was reached: somebody was refused, or dropped. */
  pushedBack(pool: LivePool): void {
    this.metrics.backpressureEvent(pool.config.engine.id, pool.config.queue.full_policy);
  }

  accepted(task: NewTask, pool: LivePool, { identity }: Asker): void {
    const { taskId, engine, poolId, request, admission, placement } = task;
    const engineVersion = engineVersionOf(pool);
    this.metrics.taskEnqueued({ engine, engineVersion, poolId }, request.priority);
    if (!this.log.isLevelEnabled('info')) return;
    const { queue_position, predicted_start_ms } = admission;
    const where = queue_position === 0 ? 'it is next in line' : `${queue_position} tasks start before it`;
    const article = request.priority === 'interactive' ? 'An' : 'A';
    const why = placement.reasons[0] ?? '';
    // Thousands a second: made in one go, so that all of them have the same shape.
    const fields: LogFields = {
      correlation_id: task.correlationId,
      job_id: taskId,
      session_id: request.session_id ?? null,
      engine,
      engine_version: engineVersion,
      pool_id: poolId,
      placement_reasons: placement.reasons,
      queue_position,
      predicted_start_ms,
      identity,
      human: `${article} ${request.priority} task was accepted; ${where}. Its pool was chosen because ${why}.`,
    };
    this.log.info(fields, 'task accepted');
  }

  refused(error: unknown, { correlationId, identity }: Asker): void {
    if (!(error instanceof AppError)) return;
    this.metrics.taskRejected(error.engine ?? null, error.code);
    const human = `A task was refused: ${error.code.toLowerCase().replaceAll('_', ' ')}.`;
    narrate(this.log, 'task refused', human, {
      correlation_id: correlationId,
      code: error.code,
      pool_id: error.poolId ?? '',
      identity,
    });
  }

  /** A waiting task was ended for a newcomer. */
  dropped(taskId: string, poolId: string): void {
    const human = 'A waiting task was ended: the queue was full, and it made room for a newer one.';
    narrate(this.log, 'task dropped', human, { job_id: taskId, pool_id: poolId });
  }

  dropIsDelayed(taskId: string, error: unknown): void {
    this.log.warn(
      { job_id: taskId, err: error, human: 'A dropped task will be ended in a moment.' },
      'drop is delayed',
    );
  }

  leftToReconciler(task: NewTask, error: unknown): void {
    const human = 'A task was accepted while Redis was away; it will be queued as soon as Redis is back.';
    this.log.warn(
      { job_id: task.taskId, correlation_id: task.correlationId, pool_id: task.poolId, err: error, human },
      'task waits for redis',
    );
  }

  /** @param labels null when its record is gone */
  canceled(
    taskId: string,
    { tokensIn, tokensOut }: { readonly tokensIn: number; readonly tokensOut: number },
    cause: CancelCause,
    labels: ReplicaLabels | null,
  ): void {
    if (labels !== null && tokensOut > 0) this.metrics.tokensCounted(labels, tokensIn, tokensOut);
    this.metrics.taskCanceled(
      labels ?? { engine: 'none', engineVersion: null, poolId: 'none', replicaId: null },
      cause,
    );
    const how =
      cause === 'client'
        ? 'on request'
        : cause === 'disconnect'
          ? 'because its last reader went away'
          : 'because its deadline passed';
    narrate(this.log, 'task canceled', `A task was canceled ${how} after ${tokensOut} tokens.`, {
      job_id: taskId,
      tokens_out: tokensOut,
    });
  }
}
