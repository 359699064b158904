import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Priority } from '../../contract/common.js';
import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** What lies in BullMQ: ids only, so that nothing a user wrote shows up in Bull Board. */
export interface PoolJob {
  readonly task_id: string;
  readonly correlation_id: string;
}

export const queuePrefix = keyPrefix;
export const queueNameOf = (poolId: string): string => `pool-${poolId}`;
/** BullMQ starts lower numbers first, and a job without a priority before all others: so every job has one. */
const priorityNumber: Readonly<Record<Priority, number>> = { interactive: 1, batch: 2 };
/** Finished jobs kept for Bull Board. */
const keptJobs = { age: 3600, count: 500 };

/** One BullMQ queue for each pool. A job says «this task may be taken now»; the truth about the task is in its run record and row. */
export class PoolQueue {
  readonly queue: Queue<PoolJob>;

  constructor(
    readonly poolId: string,
    private readonly redis: Redis,
  ) {
    this.queue = new Queue<PoolJob>(queueNameOf(poolId), {
      connection: redis,
      prefix: queuePrefix,
      skipWaitingForReady: true,
      skipVersionCheck: true,
      skipMetasUpdate: true,
      defaultJobOptions: { removeOnComplete: keptJobs, removeOnFail: keptJobs },
    });
    this.queue.on('error', () => undefined); // Reported by the connection itself.
  }

  /** Offers a task to the workers. Offering a task whose job is there already changes nothing. */
  async offer(taskId: string, correlationId: string, priority: Priority): Promise<void> {
    await this.queue.add('task', { task_id: taskId, correlation_id: correlationId }, jobOptions(taskId, priority));
  }

  /** Offers several tasks in one trip. */
  async offerAll(jobs: readonly { readonly job: PoolJob; readonly priority: Priority }[]): Promise<void> {
    await this.queue.addBulk(
      jobs.map(({ job, priority }) => ({ name: 'task', data: job, opts: jobOptions(job.task_id, priority) })),
    );
  }

  /** Takes a waiting offer back. A job that a worker holds stays until that worker lets go. */
  async withdraw(taskId: string): Promise<void> {
    await this.queue.remove(taskId).catch(() => 0);
  }

  /** Of these tasks, those that no worker will ever be offered: their job is missing or has finished. */
  async unoffered(taskIds: readonly string[]): Promise<string[]> {
    const pipeline = this.redis.pipeline();
    for (const taskId of taskIds) pipeline.hmget(this.queue.toKey(taskId), 'timestamp', 'finishedOn');
    const replies = (await pipeline.exec()) ?? [];
    return taskIds.filter((_, place) => {
      const [error, fields] = replies[place] ?? [];
      if (error) throw error;
      const [timestamp, finishedOn] = Array.isArray(fields) ? fields : [];
      return typeof timestamp !== 'string' || typeof finishedOn === 'string';
    });
  }

  /** Bounds how many of the pool's tasks run at once, over all workers. */
  async limitConcurrency(slots: number): Promise<void> {
    await this.queue.setGlobalConcurrency(Math.max(1, slots));
  }

  /** Whether the queue can be read. */
  async ping(): Promise<void> {
    await this.queue.getJobCountByTypes('active');
  }

  async close(): Promise<void> {
    await this.queue.close().catch(() => undefined);
  }
}

function jobOptions(taskId: string, priority: Priority) {
  return {
    jobId: taskId,
    priority: priorityNumber[priority],
    attempts: 1_000_000,
    backoff: { type: 'fixed', delay: 500 },
  };
}
