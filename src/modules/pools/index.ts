export { AnnounceReplica } from './announce-replica.js';
export type { Announcement } from './announcement.js';
export { Leases, type Lease } from './leases.js';
export type { LiveReplica } from './live-replica.js';
export { leaseKey, workersKey } from './pool-keys.js';
export { PoolPerfRecorder, type PoolPerf } from './pool-perf.js';
export { PoolRegistry, unreadyReason, type LivePool } from './pool-registry.js';
export { PoolsModule } from './pools.module.js';
export { ReadPool, type QueueDepths } from './read-pool.js';
