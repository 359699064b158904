import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Sorted set: running attempts on a replica (`<task>:<attempt>`), by when the lease runs out (Unix ms). */
export const leaseKey = (poolId: string, replicaId: string): string => `${keyPrefix}:lease:${poolId}:${replicaId}`;
/** Sorted set: worker processes that take the pool's tasks, by when their word runs out (Unix ms). */
export const workersKey = (poolId: string): string => `${keyPrefix}:workers:${poolId}`;
/** Hash: replicas announced at run time (started by a pool manager), replica id → JSON. */
export const announcedKey = (poolId: string): string => `${keyPrefix}:announced:${poolId}`;
/** Hash: replicas that kept failing, replica id → JSON of their open circuit. */
export const circuitKey = (poolId: string): string => `${keyPrefix}:circuit:${poolId}`;
/** Hash: what was measured of a pool, `measures` (JSON) in `version`. */
export const perfKey = (poolId: string): string => `${keyPrefix}:perf:${poolId}`;
/** Hash: running tasks as each process last told them, process id → JSON. */
export const runningKey = (poolId: string): string => `${keyPrefix}:running:${poolId}`;
/** Hash: memory of the GPUs under replicas as last seen, replica id → JSON. */
export const gpuMemoryKey = (poolId: string): string => `${keyPrefix}:gpu-memory:${poolId}`;
/** Counter: goes up whenever the registered replicas in Postgres have changed. */
export const registrationsKey = `${keyPrefix}:registrations`;
/** Hash: what the last self-tests have shown, replica id → JSON. */
export const selfTestsKey = (poolId: string): string => `${keyPrefix}:self-tests:${poolId}`;
/** Worker process that tests a replica now; runs out soon when it says nothing. */
export const selfTestKey = (poolId: string, replicaId: string): string =>
  `${keyPrefix}:self-test:${poolId}:${replicaId}`;
