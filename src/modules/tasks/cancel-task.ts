import type { Clock } from '../../platform/clock/clock.js';
import { AppError } from '../../platform/errors/app-error.js';
import type { ReplicaLabels } from '../../platform/observability/metrics.js';
import type { Line, PoolQueues } from '../admission/index.js';
import { endTemplate, type CloseOutcome, type EndedLogs, type EventHub, type EventLog } from '../events/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { EngineStop } from './engine-stop.js';
import type { EndTask } from './end-task.js';
import { openLog } from './open-task.js';
import type { TaskStanding } from './standing-rows.js';
import type { TasksRepository } from './tasks.repository.js';
import type { CancelCause, TasksTelemetry } from './tasks.telemetry.js';

export interface CancelReceipt {
  /** Highest event id that any reader can ever see. */
  readonly lastEventId: number;
  readonly tokensOut: number;
}

export interface CancelCollaborators {
  readonly endTask: EndTask;
  readonly engineStop: EngineStop;
  readonly log: EventLog;
  readonly ended: EndedLogs;
  readonly tasks: TasksRepository;
  readonly line: Line;
  readonly queues: PoolQueues;
  readonly hub: EventHub;
  readonly pools: PoolRegistry;
  readonly telemetry: TasksTelemetry;
  readonly clock: Clock;
}

const canceledEnding = endTemplate({ finish_reason: 'canceled', canceled: true });

/**
 * Cancels a task, wherever it is. The fence in Redis falls first, atomically with the terminal event: nothing is appended after it. When
 * this resolves the row says so too (a Redis that loses everything can't bring the task back) and the readers of this process have been
 * handed everything there will ever be.
 */
export class CancelTask {
  constructor(private readonly with_: CancelCollaborators) {}

  /** Rejects with NOT_FOUND for an unknown task. A task that has ended stays as it is. */
  async run(taskId: string, cause: CancelCause): Promise<CancelReceipt> {
    const { endTask, hub, telemetry } = this.with_;
    let outcome = await endTask.close(taskId, canceledEnding);
    if (outcome.kind === 'missing') {
      const lost = await this.closeLost(taskId);
      if (lost === null) return this.endedBefore(taskId);
      outcome = lost;
    }
    if (outcome.kind === 'closed') {
      const standing = await this.leave(taskId, outcome.fenceBefore === 'q');
      telemetry.canceled(taskId, outcome, cause, standing === null ? null : this.labelsOf(standing));
    }
    // Also for a task somebody else has just ended: its row must not say otherwise when we answer.
    await endTask.settle(taskId);
    const lastEventId = outcome.kind === 'closed' ? outcome.chunk.last : outcome.kind === 'kept' ? outcome.lastId : 0;
    await hub.deliveredUpTo(taskId, lastEventId);
    return { lastEventId, tokensOut: outcome.kind === 'missing' ? 0 : outcome.tokensOut };
  }

  /** Whether it is known, within a bounded time, that no engine decodes for a canceled task any more. */
  confirmStop(taskId: string): Promise<boolean> {
    return this.with_.engineStop.confirm(taskId);
  }

  /** Gives up its place in line and, if it waited, a ticket: those of running tasks call workers for others. */
  private async leave(taskId: string, hasWaited: boolean): Promise<TaskStanding | null> {
    const { tasks, line, queues } = this.with_;
    const standing = await tasks.stateOf(taskId);
    if (standing === null) return null;
    await Promise.all([
      line.leave(standing.poolId, taskId),
      hasWaited ? queues.of(standing.poolId)?.withdraw(taskId) : null,
    ]);
    return standing;
  }

  private labelsOf({ engine, poolId, replicaId }: TaskStanding): ReplicaLabels {
    const replicas = this.with_.pools.find(poolId)?.replicas ?? [];
    const engineVersion = replicas.find(({ known }) => known.id === replicaId)?.engineVersion ?? null;
    return { engine, engineVersion, poolId, replicaId };
  }

  /**
   * Redis has no log: the task is unknown, or long ended: null; or Redis lost it. In the last case its log is opened again, to be closed; but
   * where it had begun nobody knows what its readers saw, and its end lies above all of it, as the reconciler's does.
   */
  private async closeLost(taskId: string): Promise<CloseOutcome | null> {
    const { tasks, log, endTask, clock } = this.with_;
    const open = await tasks.findOpen(taskId);
    if (open === null) return null;
    if (open.state === 'running') {
      const outcome = await endTask.closeLost(open, canceledEnding);
      if (outcome.kind === 'closed') return outcome;
    } else {
      await openLog(log, open, { againMs: clock.now() });
    }
    return endTask.close(taskId, canceledEnding);
  }

  private async endedBefore(taskId: string): Promise<CancelReceipt> {
    const { tasks, ended } = this.with_;
    const standing = await tasks.stateOf(taskId);
    if (standing === null) throw new AppError('NOT_FOUND', 'There is no task of that id.');
    const kept = await ended.find(taskId);
    return { lastEventId: typeof kept === 'string' ? 0 : (kept.at(-1)?.last ?? 0), tokensOut: standing.tokensOut };
  }
}
