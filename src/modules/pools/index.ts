export { AnnounceReplica } from './announce-replica.js';
export type { Announcement } from './announcement.js';
export { leaseMember, Leases, type Lease } from './leases.js';
export type { LiveReplica } from './live-replica.js';
export { leaseKey, workersKey } from './pool-keys.js';
export { PoolPerfRecorder, type PoolPerf } from './pool-perf.js';
export { PoolRegistry, unreadyReason, type LivePool } from './pool-registry.js';
export { poolHealthView, poolView } from './pool-view.js';
