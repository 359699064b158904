import type { Priority } from '../../contract/common.js';
import type { Pool, PoolHealth, Replica } from '../../contract/pools.js';
import { redacted } from '../../engines/redact.js';
import type { LiveReplica } from './live-replica.js';
import { engineVersionOf, kvBytesPerTokenOf, vramOf } from './pool-facts.js';
import type { LivePool } from './pool-registry.js';

/** The pool as clients see it. @param depth waiting tasks by class */
export function poolView(
  pool: LivePool,
  depth: Readonly<Record<Priority, number>>,
  leases: ReadonlyMap<string, number>,
): Pool {
  const replicas = pool.replicas.map((replica) => replicaView(pool, replica, leases.get(replica.known.id) ?? 0));
  const { config } = pool;
  return {
    id: config.id,
    engine: config.engine.id,
    engine_version: engineVersionOf(pool) ?? config.engine.version,
    model_ref: config.model.ref,
    model_digest: config.model.checksum ?? null,
    sampler_profile_version: config.sampler_profile_version,
    state: pool.state,
    live: pool.live,
    ready: pool.ready,
    draining: pool.state === 'draining',
    last_error: pool.lastError,
    ctx_max: pool.ctxMax,
    slots: {
      total: replicas.reduce((sum, { slots }) => sum + slots.total, 0),
      free: replicas.reduce((sum, { slots }) => sum + slots.free, 0),
    },
    queue: { depth, capacity: config.queue.capacity, full_policy: config.queue.full_policy },
    perf: { tokens_per_s: rounded(pool.perf.tokensPerS), first_token_ms: rounded(pool.perf.firstTokenMs) },
    replicas,
  };
}

/** The short form of `poolView` for health checks. */
export function poolHealthView(view: Pool): PoolHealth {
  const { live, ready, draining, state, last_error, slots, queue, perf } = view;
  return {
    live,
    ready,
    draining,
    state,
    last_error,
    metrics: {
      slots_total: slots.total,
      slots_free: slots.free,
      queue_depth: queue.depth.interactive + queue.depth.batch,
      tokens_per_s: perf.tokens_per_s,
      first_token_ms: perf.first_token_ms,
    },
  };
}

function replicaView(pool: LivePool, replica: LiveReplica, busy: number): Replica {
  const { totalBytes, freeBytes } = vramOf(pool, replica);
  const total = replica.ready ? replica.slots : 0;
  return {
    id: replica.known.id,
    url: replica.known.url === null ? null : redacted(replica.known.url),
    node_id: null,
    device_mask: replica.known.deviceMask,
    state: replica.state,
    live: replica.live,
    ready: replica.ready,
    slots: { total, free: Math.max(0, total - busy) },
    vram_total_bytes: totalBytes,
    vram_free_bytes: freeBytes,
    kv_bytes_per_token: kvBytesPerTokenOf(pool, replica),
    engine_version: replica.engineVersion,
    pid: replica.known.pid,
    last_error: replica.lastError,
    circuit: replica.circuit,
  };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
