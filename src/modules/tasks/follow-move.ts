import type { EngineId } from '../../contract/common.js';
import type { PoolQueues } from '../admission/index.js';
import { placementRecord, type Assigned } from './admission-answer.js';
import type { OpenTask } from './task-record.js';
import type { TasksRepository } from './tasks.repository.js';

/** A task that waits in the line of another pool than its row says. */
export interface MovedTask {
  readonly task: Pick<OpenTask, 'taskId' | 'poolId' | 'priority'>;
  readonly toPoolId: string;
  readonly engine: EngineId;
  /** Why it went there; null: nobody knows any more. */
  readonly decision: Assigned | null;
}

/** Has rows and tickets follow tasks that were placed again (waiting/move-task.lua). Doing it twice is the same as once. */
export class FollowMove {
  constructor(
    private readonly tasks: Pick<TasksRepository, 'movedTo'>,
    private readonly queues: PoolQueues,
  ) {}

  /** Rejects when a store is away; then the reconciler does it. */
  async run(moved: readonly MovedTask[]): Promise<void> {
    await Promise.all(
      moved.map(async ({ task, toPoolId, engine, decision }) => {
        const { taskId, poolId, priority } = task;
        await Promise.all([
          this.queues.of(toPoolId)?.offer(taskId, priority),
          this.tasks.movedTo({
            taskId,
            fromPoolId: poolId,
            toPoolId,
            engine,
            placement: decision === null ? null : placementRecord(decision),
          }),
        ]);
        await this.queues.of(poolId)?.withdraw(taskId);
      }),
    );
  }
}
