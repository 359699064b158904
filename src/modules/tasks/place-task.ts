import type { TaskRequest } from '../../contract/task-request.js';
import type { LineDepth, LineGauge } from '../admission/index.js';
import { decide, type Decision, type PoolSnapshot } from '../placement/index.js';
import { busySlots, unreadyReason, type LivePool, type PoolRegistry } from '../pools/index.js';
import { expectedTokens } from './task-record.js';

/** Asks placement where a request should run, on what is known of the pools now. */
export function placeTask(request: TaskRequest, pools: PoolRegistry, gauge: LineGauge): Decision {
  const wanted = {
    modelRef: request.model_ref,
    engine: request.engine,
    ctxNeeded: Math.max(request.ctx ?? 0, request.max_tokens + 1),
    ctxField: (request.ctx ?? 0) > request.max_tokens ? ('ctx' as const) : ('max_tokens' as const),
    expectedTokens: expectedTokens(request),
    wish: request.placement,
  };
  return decide(
    wanted,
    pools.all().map((pool) => snapshotOf(pool, gauge.of(pool.config.id))),
  );
}

function snapshotOf(pool: LivePool, depth: LineDepth): PoolSnapshot {
  const { config } = pool;
  return {
    id: config.id,
    engine: config.engine.id,
    modelNames: [config.model.ref, ...config.aliases],
    ready: pool.ready,
    unreadyReason: unreadyReason(pool),
    ctxMax: pool.ctxMax,
    deviceMasks: pool.replicas.flatMap(({ known }) => known.deviceMask ?? []),
    slots: pool.slots,
    activeLeases: busySlots(pool),
    waiting: depth.interactive + depth.batch,
    vramFreeBytes: null,
    tokensPerS: pool.perf.tokensPerS,
    firstTokenMs: pool.perf.firstTokenMs,
    tokensWaiting: depth.tokens,
  };
}
