import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { leaseKey } from './pool-keys.js';

/** A running attempt on a slot of a replica. */
export interface Lease {
  readonly poolId: string;
  readonly replicaId: string;
  readonly taskId: string;
  readonly attempt: number;
}

/** How a lease is written in Redis. */
const leaseMember = (taskId: string, attempt: number): string => `${taskId}:${attempt}`;

/** The slots in use, in Redis. A lease that is not renewed runs out: a dead worker holds no slot for ever. */
export class Leases {
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
  ) {}

  /** Keeps leases for another `leaseMs`. One that ran out meanwhile is taken up again: its engine still decodes. */
  async renew(leases: readonly Lease[], leaseMs: number): Promise<void> {
    if (leases.length === 0) return;
    const until = this.clock.now() + leaseMs;
    const pipeline = this.redis.pipeline();
    for (const { poolId, replicaId, taskId, attempt } of leases)
      pipeline.zadd(leaseKey(poolId, replicaId), until, leaseMember(taskId, attempt));
    await pipeline.exec();
  }

  async release({ poolId, replicaId, taskId, attempt }: Lease): Promise<void> {
    await this.redis.zrem(leaseKey(poolId, replicaId), leaseMember(taskId, attempt));
  }

  /** Of these attempts, those whose lease holds on any of the replicas; by task id. */
  async holders(
    poolId: string,
    replicaIds: readonly string[],
    attempts: readonly { taskId: string; attempt: number }[],
  ): Promise<Set<string>> {
    const now = this.clock.now();
    const pipeline = this.redis.pipeline();
    for (const { taskId, attempt } of attempts) {
      for (const id of replicaIds) pipeline.zscore(leaseKey(poolId, id), leaseMember(taskId, attempt));
    }
    const replies = attempts.length * replicaIds.length === 0 ? [] : ((await pipeline.exec()) ?? []);
    const held = attempts.filter((_, place) =>
      replicaIds.some((__, replica) => Number(replies[place * replicaIds.length + replica]?.[1] ?? 0) > now),
    );
    return new Set(held.map(({ taskId }) => taskId));
  }

  /** Slots in use, by replica id. */
  async active(poolId: string, replicaIds: readonly string[]): Promise<Map<string, number>> {
    const now = this.clock.now();
    const counts = await Promise.all(replicaIds.map((id) => this.redis.zcount(leaseKey(poolId, id), now, '+inf')));
    return new Map(replicaIds.map((id, place) => [id, counts[place] ?? 0]));
  }
}
