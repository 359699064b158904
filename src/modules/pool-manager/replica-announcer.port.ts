import type { PoolState } from './pool-state.js';

/** What the pool manager says of a replica it runs. */
export interface ReplicaAnnouncement {
  readonly poolId: string;
  readonly replicaId: string;
  /** Base URL without a trailing slash; null while no engine runs. */
  readonly url: string | null;
  readonly slots: number;
  /** Context of one task, in tokens; null until the engine has said. */
  readonly ctxMax: number | null;
  readonly engineVersion: string | null;
  readonly pid: number | null;
  /** `CUDA_VISIBLE_DEVICES` of the engine; null: all there are. */
  readonly deviceMask: string | null;
  readonly modelDigest: string | null;
  /** What a token of context takes in the KV cache, bytes; null until the model's metadata has said, or where it doesn't. */
  readonly kvBytesPerToken: number | null;
  readonly state: PoolState;
  readonly lastError: string | null;
  /** Unix milliseconds of the next attempt; null while none is planned. */
  readonly nextRetryMs: number | null;
}

/** Tells the rest of the house about replicas. Calls are synchronous and must not throw: the implementation queues what takes time. */
export interface ReplicaAnnouncer {
  /** Called at every change of state. The replica takes tasks only while `state` is `ready`; then `url`, `pid` and `ctxMax` are set. */
  announce(announcement: ReplicaAnnouncement): void;
  /** The replica takes no more tasks, at once. Called when it leaves `ready`, before the announcement of the new state. */
  withdraw(poolId: string, replicaId: string, reason: string): void;
}
