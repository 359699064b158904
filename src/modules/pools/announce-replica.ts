import type { Redis } from 'ioredis';
import type { Announcement } from './announcement.js';
import type { PoolRegistry } from './pool-registry.js';
import { announcedKey } from './pool-keys.js';

/** Tells all processes of replicas that a pool manager runs. */
export class AnnounceReplica {
  constructor(
    private readonly redis: Redis,
    private readonly registry: PoolRegistry,
  ) {}

  /** Writes what is known now and has this process look at once. Rejects when Redis is away: announce again. */
  async run(poolId: string, replicaId: string, announcement: Announcement): Promise<void> {
    await this.redis.hset(announcedKey(poolId), replicaId, JSON.stringify(announcement));
    await this.registry.look(poolId);
  }
}
