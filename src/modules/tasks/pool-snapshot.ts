import type { Priority } from '../../contract/common.js';
import { engineCapabilities } from '../../engines/engine-capabilities.js';
import { estimateRun, type LineDepth, type LineView, type StartEstimate } from '../admission/index.js';
import type { PoolSnapshot, ReplicaSnapshot } from '../placement/index.js';
import { busySlots, kvBytesPerTokenOf, unreadyReason, vramOf, type LivePool } from '../pools/index.js';
import { predictStart } from './predict-start.js';

/** A task as far as predictions depend on it. */
export interface ExpectedTask {
  readonly priority: Priority;
  readonly tokens: number;
  /** Unix ms */
  readonly nowMs: number;
}

/** Ms a prediction is good for where pools are compared: what it is made of is older (`LineGauge`). */
const forecastMs = 100;

interface Forecast {
  readonly start: StartEstimate;
  readonly perf: LivePool['perf'];
  readonly depth: LineDepth;
  readonly slots: number;
  readonly busy: number;
  /** Unix ms */
  readonly untilMs: number;
}

/** When a task would start in each pool, as of a moment ago: for choosing between pools, and never told as a task's own. */
export class StartForecasts {
  private readonly kept = new Map<string, Forecast>();

  /** @param depth the line, as last looked at */
  of(pool: LivePool, depth: LineDepth, { priority, nowMs }: ExpectedTask): StartEstimate {
    const key = `${priority} ${pool.config.id}`;
    const { perf, slots } = pool;
    const busy = busySlots(pool);
    const kept = this.kept.get(key);
    const isSame = kept?.depth === depth && kept.perf === perf && kept.slots === slots && kept.busy === busy;
    if (isSame && nowMs <= kept.untilMs) return kept.start;
    const start = predictStart(pool, lineViewOf(pool, depth, priority, busy), priority, nowMs);
    this.kept.set(key, { start, perf, depth, slots, busy, untilMs: nowMs + forecastMs });
    return start;
  }
}

/** A pool as placement sees it. @param depth its line, as of a moment ago */
export function poolSnapshot(
  pool: LivePool,
  depth: LineDepth,
  task: ExpectedTask,
  forecasts: StartForecasts,
): Omit<PoolSnapshot, 'isFull'> {
  const { config } = pool;
  return {
    id: config.id,
    engine: config.engine.id,
    features: engineCapabilities[config.engine.id].features,
    samplerProfile: config.sampler_profile_version,
    modelNames: [config.model.ref, ...config.aliases],
    ready: pool.ready,
    unreadyReason: unreadyReason(pool),
    ctxMax: pool.ctxMax,
    replicas: replicaSnapshots(pool),
    waiting: depth.interactive + depth.batch,
    predicted: pool.ready ? predictionOf(pool, depth, task, forecasts) : null,
  };
}

/** The replicas of a pool as placement sees them. */
export function replicaSnapshots(pool: LivePool): ReplicaSnapshot[] {
  const isSetAside = pool.config.engine.kv_allocation === 'at_start';
  return pool.replicas.map((replica) => ({
    id: replica.known.id,
    ready: replica.ready,
    deviceMask: replica.known.deviceMask,
    slots: replica.slots,
    activeLeases: pool.leases.get(replica.known.id) ?? 0,
    vramFreeBytes: vramOf(pool, replica).freeBytes,
    kvBytesPerToken: isSetAside ? 0 : kvBytesPerTokenOf(pool, replica),
  }));
}

/** A line as a task of this class would find it, from its length and the slots that are taken. */
export function lineViewOf(pool: LivePool, depth: LineDepth, priority: Priority, busy = busySlots(pool)): LineView {
  const { interactive, batch, tokensOf } = depth;
  const ahead = priority === 'batch' ? interactive + batch : interactive;
  const position = Math.max(0, ahead - Math.max(0, pool.slots - busy));
  return { position, waiting: { interactive, batch }, tokens: tokensOf, busySlots: busy };
}

function predictionOf(pool: LivePool, depth: LineDepth, task: ExpectedTask, forecasts: StartForecasts) {
  const run = estimateRun(pool.perf, task.tokens);
  if (run === null) return null;
  const start = forecasts.of(pool, depth, task);
  return start.isKnown ? { startMs: start.medianMs, runMs: run.medianMs } : null;
}
