import { Counter, Gauge, Histogram, register } from 'prom-client';
import type { ErrorCode } from '../../contract/errors.js';
import type { Priority } from '../../contract/common.js';
import { Tally } from './tally.js';

/** The engine process work is counted for. What is not known yet counts as `none` or `unknown`, so that series stay few. */
export interface ReplicaLabels {
  readonly engine: string;
  readonly engineVersion: string | null;
  readonly poolId: string;
  readonly replicaId: string | null;
}

export type DeviceLabels = ReplicaLabels & { readonly device: string };

export type PoolLabels = Omit<ReplicaLabels, 'replicaId'> & { readonly priority: Priority };

/** Why a task was canceled: by the cancel endpoint, by a reader that went away, or by its deadline. */
export type CancelReason = 'client' | 'disconnect' | 'deadline';

const replicaLabels = ['engine', 'engine_version', 'pool_id', 'replica_id'] as const;
const poolLabels = ['engine', 'engine_version', 'pool_id', 'priority'] as const;

/** Two applications in one process count into the same series. */
function counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
  return (register.getSingleMetric(name) as Counter<Label> | undefined) ?? new Counter({ name, help, labelNames });
}

function gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
  return (register.getSingleMetric(name) as Gauge<Label> | undefined) ?? new Gauge({ name, help, labelNames });
}

function histogram(name: string, help: string, buckets: number[]): Histogram<(typeof poolLabels)[number]> {
  type Latency = Histogram<(typeof poolLabels)[number]>;
  const known = register.getSingleMetric(name) as Latency | undefined;
  return known ?? new Histogram({ name, help, labelNames: poolLabels, buckets });
}

function byReplica(labels: ReplicaLabels) {
  return {
    engine: labels.engine,
    engine_version: labels.engineVersion ?? 'unknown',
    pool_id: labels.poolId,
    replica_id: labels.replicaId ?? 'none',
  };
}

function byPool(labels: PoolLabels) {
  return {
    engine: labels.engine,
    engine_version: labels.engineVersion ?? 'unknown',
    pool_id: labels.poolId,
    priority: labels.priority,
  };
}

/** The metrics of the contract (names, types, labels and buckets are promised to dashboards), each behind a method that says when to call it. */
export class Metrics {
  private readonly enqueued = new Tally('tasks_enqueued_total', 'Tasks accepted into a queue.', [
    ...replicaLabels,
    'priority',
  ]);
  private readonly started = counter('tasks_started_total', 'Tasks a worker began.', [...replicaLabels, 'priority']);
  private readonly canceled = counter('tasks_canceled_total', 'Tasks canceled.', [...replicaLabels, 'reason']);
  private readonly rejected = counter('tasks_rejected_total', 'Requests for a task that were refused.', [
    'engine',
    'reason',
  ]);
  private readonly inTokens = counter('tokens_in_total', 'Prompt tokens of ended tasks.', replicaLabels);
  private readonly outTokens = counter('tokens_out_total', 'Generated tokens of ended tasks.', replicaLabels);
  private readonly backpressure = counter('admission_backpressure_events_total', 'Times a full queue pushed back.', [
    'engine',
    'policy',
  ]);
  private readonly decisions = new Tally('placement_decisions_total', 'Placement decisions.', [
    'outcome',
    'pinned',
    'fallback',
  ]);
  private readonly depth = gauge('queue_depth', 'Waiting tasks.', poolLabels);
  private readonly leases = gauge('active_leases', 'Tasks that hold a slot.', ['pool_id']);
  private readonly ready = gauge('pool_ready', 'Whether the pool takes work: 1 or 0.', ['pool_id']);
  private readonly considered = gauge(
    'placement_candidates_considered',
    'Pools looked at by the last placement decision.',
    [],
  );
  private readonly firstToken = histogram(
    'latency_first_token_ms',
    'Milliseconds from the start of a task to its first token.',
    [50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000],
  );
  private readonly decode = histogram(
    'latency_decode_ms',
    'Milliseconds from the first to the last token.',
    [250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000],
  );

  private readonly etaError = histogram(
    'eta_error_ms',
    'Milliseconds between the start that a waiting task was told at acceptance and its start, either way.',
    [50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000],
  );
  private readonly etaStarts = counter('eta_starts_total', 'Starts of tasks that waited and had been told when.', [
    ...poolLabels,
    'inside_p90',
  ]);

  private readonly kvUsage = gauge(
    'kv_cache_usage_ratio',
    'Share of its KV cache that an engine uses, 0 to 1, as it says.',
    replicaLabels,
  );
  private readonly gpuUtilization = gauge('gpu_utilization', 'Percent, of a GPU under an engine.', [
    ...replicaLabels,
    'device',
  ]);
  private readonly vramUsed = gauge('vram_used_bytes', 'Memory in use on a GPU under an engine.', [
    ...replicaLabels,
    'device',
  ]);
  /** What `kvUsage` shows, by pool and replica: one series each. */
  private readonly kvShown = new Map<string, ReplicaLabels>();

  /** A task was accepted; the replica is not chosen yet, so `replica_id` is `none`. */
  taskEnqueued(labels: Omit<ReplicaLabels, 'replicaId'>, priority: Priority): void {
    const key = `${labels.engine} ${labels.engineVersion} ${labels.poolId} ${priority}`;
    this.enqueued.count(key, () => ({ ...byReplica({ ...labels, replicaId: null }), priority }));
  }

  /** A worker leased a replica for a task. */
  taskStarted(labels: ReplicaLabels, priority: Priority): void {
    this.started.inc({ ...byReplica(labels), priority });
  }

  taskCanceled(labels: ReplicaLabels, reason: CancelReason): void {
    this.canceled.inc({ ...byReplica(labels), reason });
  }

  /** A submit was refused; `engine` is null while no pool was chosen. */
  taskRejected(engine: string | null, reason: ErrorCode): void {
    this.rejected.inc({ engine: engine ?? 'none', reason });
  }

  /** A task ended or was canceled: what the engine counted, or had sent until then. Called once a task, never per token. */
  tokensCounted(labels: ReplicaLabels, tokensIn: number, tokensOut: number): void {
    const values = byReplica(labels);
    this.inTokens.inc(values, tokensIn);
    this.outTokens.inc(values, tokensOut);
  }

  backpressureEvent(engine: string, policy: string): void {
    this.backpressure.inc({ engine, policy });
  }

  placementDecided(decision: {
    readonly outcome: 'assigned' | 'none';
    readonly pinned: boolean;
    readonly fallback: boolean;
    readonly candidates: number;
  }): void {
    const { outcome, pinned, fallback, candidates } = decision;
    this.decisions.count(`${outcome} ${pinned} ${fallback}`, () => ({
      outcome,
      pinned: String(pinned),
      fallback: String(fallback),
    }));
    this.considered.set(candidates);
  }

  setQueueDepth(labels: PoolLabels, waiting: number): void {
    this.depth.set(byPool(labels), waiting);
  }

  setActiveLeases(poolId: string, leases: number): void {
    this.leases.set({ pool_id: poolId }, leases);
  }

  setPoolReady(poolId: string, isReady: boolean): void {
    this.ready.set({ pool_id: poolId }, isReady ? 1 : 0);
  }

  /** @param ratio null: the engine does not say, so nothing is shown */
  setKvUsage(labels: ReplicaLabels, ratio: number | null): void {
    const key = `${labels.poolId}/${labels.replicaId}`;
    const shown = this.kvShown.get(key);
    if (shown !== undefined && (ratio === null || shown.engineVersion !== labels.engineVersion)) {
      this.kvUsage.remove(byReplica(shown));
      this.kvShown.delete(key);
    }
    if (ratio === null) return;
    this.kvUsage.set(byReplica(labels), ratio);
    this.kvShown.set(key, labels);
  }

  /** The GPUs under the engines of this machine, all at once: what is not among them is not shown any more. */
  setGpus(
    gpus: readonly { readonly labels: DeviceLabels; readonly utilization: number | null; readonly usedBytes: number }[],
  ): void {
    this.gpuUtilization.reset();
    this.vramUsed.reset();
    for (const { labels, utilization, usedBytes } of gpus) {
      const values = { ...byReplica(labels), device: labels.device };
      if (utilization !== null) this.gpuUtilization.set(values, utilization);
      this.vramUsed.set(values, usedBytes);
    }
  }

  /** The replica is gone for good: its series go too, lest those of all that ever were pile up. */
  async forgetReplica(poolId: string, replicaId: string): Promise<void> {
    this.kvShown.delete(`${poolId}/${replicaId}`);
    for (const metric of [this.started, this.canceled, this.inTokens, this.outTokens, this.kvUsage]) {
      const { values } = await metric.get();
      for (const { labels } of values)
        if (labels.pool_id === poolId && labels.replica_id === replicaId) metric.remove(labels as never);
    }
  }

  /** A task that waited has started: how far off its prediction was, and whether it came within the p90. */
  waitWasPredicted(labels: PoolLabels, errorMs: number, isInsideP90: boolean): void {
    this.etaError.observe(byPool(labels), Math.abs(errorMs));
    this.etaStarts.inc({ ...byPool(labels), inside_p90: String(isInsideP90) });
  }

  firstTokenAfter(labels: PoolLabels, milliseconds: number): void {
    this.firstToken.observe(byPool(labels), milliseconds);
  }

  decodedWithin(labels: PoolLabels, milliseconds: number): void {
    this.decode.observe(byPool(labels), milliseconds);
  }
}
