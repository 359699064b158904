import { PoolQueue } from './pool.queue.js';
import type { Redis } from 'ioredis';

/** The BullMQ queues of all configured pools. */
export class PoolQueues {
  private readonly queues: ReadonlyMap<string, PoolQueue>;

  constructor(poolIds: readonly string[], redis: Redis) {
    this.queues = new Map(poolIds.map((id) => [id, new PoolQueue(id, redis)]));
  }

  /** Null for a pool that is not configured (any more). */
  of(poolId: string): PoolQueue | null {
    return this.queues.get(poolId) ?? null;
  }

  all(): PoolQueue[] {
    return [...this.queues.values()];
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((queue) => queue.close()));
  }
}
