import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Priority } from '../../contract/common.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { keyPrefix } from '../../platform/redis/redis-connections.js';

const unofferedScript = new LuaScript(new URL('./unoffered.lua', import.meta.url));

/**
 * A ticket: it calls a worker, who starts whoever is first in line (dispatch/claim-task.lua); there is at least one for each waiting task. Ids
 * only, so that nothing a user wrote shows up in Bull Board. It names the task it was offered for, and from its start on the one it runs.
 * No field of a waiting job may be longer than 64 bytes, or Redis spends three times the memory on it (`hash-max-listpack-value`).
 */
export interface PoolJob {
  readonly task_id: string;
}

export const queuePrefix = keyPrefix;
export const queueNameOf = (poolId: string): string => `pool-${poolId}`;
/** Jobs by name: tickets of waiting tasks, and those of tasks that began without waiting, which are there to be looked at. */
export type PoolJobName = 'task' | 'started';
/** BullMQ starts lower numbers first, and a job without a priority before all others: so every job has one. */
const priorityNumber: Readonly<Record<Priority, number>> = { interactive: 1, batch: 2 };

/** One BullMQ queue for each pool. A job says «somebody may be taken now»; who it is the line says, and the truth about a task its run record and row. */
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
    });
    this.queue.on('error', () => undefined); // Reported by the connection itself.
  }

  /** Offers a task to the workers. Offering a task whose job is there already changes nothing. */
  async offer(taskId: string, priority: Priority): Promise<void> {
    const name: PoolJobName = 'task';
    await this.queue.add(name, { task_id: taskId }, jobOptions(taskId, priority));
  }

  /** Shows several tasks that began without waiting, in one trip. */
  async showStarted(jobs: readonly { readonly job: PoolJob; readonly priority: Priority }[]): Promise<void> {
    const name: PoolJobName = 'started';
    await this.queue.addBulk(
      jobs.map(({ job, priority }) => ({ name, data: job, opts: jobOptions(job.task_id, priority) })),
    );
  }

  /** Takes a ticket back. A job that a worker holds stays until that worker lets go. */
  async withdraw(taskId: string): Promise<void> {
    await this.queue.remove(taskId).catch(() => 0);
  }

  /** Of these tasks, those that no worker will ever be offered: their job is missing or has finished. */
  async unoffered(taskIds: readonly string[]): Promise<string[]> {
    if (taskIds.length === 0) return [];
    const reply = await unofferedScript.run(this.redis, [], [this.queue.toKey(''), ...taskIds]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of unoffered.lua');
    const places = new Set(reply.map(Number));
    return taskIds.filter((_, place) => places.has(place + 1));
  }

  /** Bounds how many of the pool's tasks run at once, over all workers. Nobody reads BullMQ's stream of events, which else keeps 10,000. */
  async limitConcurrency(slots: number): Promise<void> {
    const settings = { concurrency: Math.max(1, slots), 'opts.maxLenEvents': 0 };
    await this.redis.hset(this.queue.toKey('meta'), settings);
  }

  /** Whether the queue can be read. */
  async ping(): Promise<void> {
    await this.queue.getJobCountByTypes('active');
  }

  async close(): Promise<void> {
    await this.queue.close().catch(() => undefined);
  }
}

/** Neither retries nor keeping is said here: a worker puts back what it can't run (pool.processor.ts), and says how long ended jobs are kept. */
function jobOptions(taskId: string, priority: Priority) {
  return { jobId: taskId, priority: priorityNumber[priority], attempts: undefined };
}
