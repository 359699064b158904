import type { Redis } from 'ioredis';
import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Sorted set: open tasks by their deadline, Unix ms. */
export const deadlinesKey = `${keyPrefix}:deadlines`;

/** The deadlines of open tasks, in Redis, so that any process notices one that passes while no worker lives. */
export class Deadlines {
  constructor(private readonly redis: Redis) {}

  /** @param deadlineMs Unix ms */
  async watch(taskId: string, deadlineMs: number): Promise<void> {
    await this.redis.zadd(deadlinesKey, deadlineMs, taskId);
  }

  /** Tasks whose deadline has passed, the earliest first: at most `count`, behind the first `skipped`. */
  due(nowMs: number, count: number, skipped = 0): Promise<string[]> {
    return this.redis.zrangebyscore(deadlinesKey, '-inf', nowMs, 'LIMIT', skipped, count);
  }

  async forget(...taskIds: readonly string[]): Promise<void> {
    if (taskIds.length > 0) await this.redis.zrem(deadlinesKey, ...taskIds);
  }
}
