import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Sorted set: running attempts on a replica (`<task>:<attempt>`), by when the lease runs out (Unix ms). */
export const leaseKey = (poolId: string, replicaId: string): string => `${keyPrefix}:lease:${poolId}:${replicaId}`;
/** Sorted set: worker processes that take the pool's tasks, by when their word runs out (Unix ms). */
export const workersKey = (poolId: string): string => `${keyPrefix}:workers:${poolId}`;
/** Hash: replicas announced at run time (started by a pool manager), replica id → JSON. */
export const announcedKey = (poolId: string): string => `${keyPrefix}:announced:${poolId}`;
/** Hash: measured speed of a pool. */
export const perfKey = (poolId: string): string => `${keyPrefix}:perf:${poolId}`;
