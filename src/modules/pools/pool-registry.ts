import type { Redis } from 'ioredis';
import type { PoolConfig } from '../../contract/config.js';
import type { Secret } from '../../platform/config/secret.js';
import type { PoolState } from '../../contract/pools.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { Leases } from './leases.js';
import type { GpuMemory, Vram } from './gpu-memory.js';
import type { SharedCircuits } from './circuit-board.js';
import { agreeing } from './fit.js';
import { underCircuit, type LiveReplica } from './live-replica.js';
import { leaseKey, workersKey } from './pool-keys.js';
import { PoolMonitor, type PoolListener } from './pool-monitor.js';
import type { PoolPerf } from './measure.js';
import type { PoolPerfRecorder } from './pool-perf.js';
import type { Registrations } from './registrations.js';
import type { RunningBoard, RunningTask } from './running-board.js';
import { underSelfTest, type SelfTests } from './self-tests.js';
import type { LookAtEngine } from '../../engines/engine-probe.js';

/** A pool as this process knows it now. */
export interface LivePool {
  readonly config: PoolConfig;
  readonly replicas: readonly LiveReplica[];
  readonly state: PoolState;
  readonly live: boolean;
  readonly ready: boolean;
  readonly lastError: string | null;
  /** Slots of the ready replicas. */
  readonly slots: number;
  /** Milliseconds until a replica may be tried again; null unless all that answer have an open circuit. */
  readonly circuitOpenMs: number | null;
  /** Smallest context of a ready replica, or what the configuration says; tokens. */
  readonly ctxMax: number | null;
  readonly perf: PoolPerf;
  /** Slots in use by replica, as of the last look. */
  readonly leases: ReadonlyMap<string, number>;
  /** Memory of the GPUs under them, where somebody has looked lately. */
  readonly gpuMemory: ReadonlyMap<string, Vram>;
  /** The tasks in them, as far as known. */
  readonly running: readonly RunningTask[];
  /** When all its engines were looked at last, Unix ms; null: not yet. */
  readonly lookedMs: number | null;
  /** Key its engines ask for. */
  readonly apiKey?: Secret | undefined;
}

const stateOrder: readonly PoolState[] = [
  'ready',
  'draining',
  'starting',
  'provisioning',
  'uninitialized',
  'offline',
  'failed',
];

/** All configured pools with their live state. Reads are synchronous; the state comes from probes and from Redis in the background. */
export class PoolRegistry {
  private readonly monitors = new Map<string, PoolMonitor>();
  private readonly leaseCounts = new Map<string, ReadonlyMap<string, number>>();
  private readonly listeners: PoolListener[] = [];
  private readonly phases = new Map<string, string>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    pools: readonly PoolConfig[],
    redis: Redis,
    lookAtEngine: LookAtEngine,
    private readonly records: {
      readonly leases: Leases;
      readonly perf: PoolPerfRecorder;
      readonly running: RunningBoard;
      readonly circuits: SharedCircuits;
      readonly gpuMemory: GpuMemory;
      readonly registrations: Registrations;
      readonly selfTests: SelfTests;
    },
    private readonly options: {
      readonly refreshMs: number;
      readonly engineKeys: ReadonlyMap<string, Secret>;
      readonly clock: Clock;
    },
  ) {
    const onChange: PoolListener = (poolId) => this.tell(poolId);
    records.circuits.onSet(onChange);
    for (const pool of pools) {
      const look: LookAtEngine = (engine, url, timeoutMs) =>
        lookAtEngine(engine, url, timeoutMs, options.engineKeys.get(pool.id));
      const registered = (poolId: string) => records.registrations.of(poolId);
      this.monitors.set(pool.id, new PoolMonitor(pool, redis, look, registered, onChange));
    }
  }

  /** Looks at every replica once, then keeps looking. */
  async start(): Promise<void> {
    await this.records.registrations.refresh();
    await Promise.all([...this.monitors.values()].map((monitor) => monitor.start()));
    await this.refresh();
    this.timer = setInterval(() => void this.refresh(), this.options.refreshMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    for (const monitor of this.monitors.values()) monitor.stop();
  }

  /** Hears of every change of a pool's replicas. */
  onChange(listener: PoolListener): void {
    this.listeners.push(listener);
  }

  get ids(): string[] {
    return [...this.monitors.keys()];
  }

  /** Looks at a pool's replicas now. */
  async look(poolId: string): Promise<void> {
    await this.monitors.get(poolId)?.look();
  }

  find(poolId: string): LivePool | null {
    const monitor = this.monitors.get(poolId);
    return monitor === undefined ? null : this.livePool(monitor);
  }

  all(): LivePool[] {
    return [...this.monitors.values()].map((monitor) => this.livePool(monitor));
  }

  /** Redis keys that scripts need to count a pool's slots and workers. */
  keysOf(pool: LivePool): { leaseKeys: string[]; workersKey: string } {
    return {
      leaseKeys: pool.replicas.map(({ known }) => leaseKey(pool.config.id, known.id)),
      workersKey: workersKey(pool.config.id),
    };
  }

  private tell(poolId: string): void {
    this.phases.set(poolId, this.phasesOf(poolId));
    for (const listener of this.listeners) listener(poolId);
  }

  /** Circuits and self-tests change by what other processes find, and as time goes by. */
  private phasesOf(poolId: string): string {
    const { replicas = [] } = this.find(poolId) ?? {};
    return JSON.stringify(replicas.map(({ circuit, ready, lastError }) => [circuit, ready, lastError]));
  }

  private async refresh(): Promise<void> {
    for (const poolId of await this.records.registrations.refresh()) void this.look(poolId);
    await Promise.all(
      [...this.monitors].map(async ([poolId, monitor]) => {
        await this.records.perf.refresh(poolId);
        try {
          const ids = monitor.all.map(({ known }) => known.id);
          this.leaseCounts.set(poolId, await this.records.leases.active(poolId, ids));
          await this.records.running.refresh(poolId);
          await this.records.circuits.refresh(poolId);
          await this.records.gpuMemory.refresh(poolId);
          await this.records.selfTests.refresh(poolId);
        } catch {
          // Redis is away: the last counts stand.
        }
        if (this.phases.get(poolId) !== this.phasesOf(poolId)) this.tell(poolId);
      }),
    );
  }

  /** The replicas that answer, are what the pool wants, have shown that they decode, and do not keep failing. */
  private replicasOf({ config, all }: PoolMonitor, nowMs: number): LiveReplica[] {
    const { selfTests, circuits } = this.records;
    const fitting = config.provisioning.mode === 'external' ? agreeing(all) : all;
    return fitting.map((replica) =>
      underCircuit(
        underSelfTest(replica, selfTests.of(config.id, replica)),
        circuits.of(config.id, replica.known.id),
        nowMs,
      ),
    );
  }

  private livePool(monitor: PoolMonitor): LivePool {
    const { config } = monitor;
    const now = this.options.clock.now();
    const replicas = this.replicasOf(monitor, now);
    const ready = replicas.filter((replica) => replica.ready);
    return {
      config,
      replicas,
      state: stateOf(replicas),
      live: replicas.some((replica) => replica.live),
      ready: ready.length > 0,
      lastError: ready.length > 0 ? null : (replicas.find(({ lastError }) => lastError !== null)?.lastError ?? null),
      slots: ready.reduce((sum, { slots }) => sum + slots, 0),
      circuitOpenMs: ready.length > 0 ? null : this.circuitOpenMs(config.id, replicas, now),
      ctxMax: ready.reduce((least, { ctxMax }) => leastOf(least, ctxMax), config.ctx ?? null),
      perf: this.records.perf.of(config.id),
      leases: this.leaseCounts.get(config.id) ?? new Map(),
      gpuMemory: this.records.gpuMemory.of(config.id),
      running: this.records.running.of(config.id),
      lookedMs: monitor.lookedAtMs,
      apiKey: this.options.engineKeys.get(config.id),
    };
  }

  private circuitOpenMs(poolId: string, replicas: readonly LiveReplica[], nowMs: number): number | null {
    const open = replicas.filter(({ circuit }) => circuit === 'open');
    const untilMs = open.flatMap(({ known }) => this.records.circuits.of(poolId, known.id)?.untilMs ?? []);
    return untilMs.length === 0 ? null : Math.max(0, Math.min(...untilMs) - nowMs);
  }
}

/** The best state that one of them is in. */
function stateOf(replicas: readonly LiveReplica[]): PoolState {
  return stateOrder.find((state) => replicas.some((replica) => replica.state === state)) ?? 'uninitialized';
}

/** Null: not known, so it bounds nothing. */
function leastOf(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

/** One sentence on why a pool takes no tasks; null when it does. */
export function unreadyReason(pool: LivePool): string | null {
  if (pool.ready) return null;
  if (pool.replicas.length === 0) return 'it has no engine yet';
  if (pool.circuitOpenMs !== null) return pool.lastError ?? 'circuit open';
  const texts: Record<PoolState, string> = {
    uninitialized: 'it was not started yet',
    provisioning: 'its engine or model is being prepared',
    starting: 'its engine is starting',
    ready: 'it is ready',
    draining: 'it is draining',
    offline: 'its engine does not answer',
    failed: 'its engine failed',
  };
  return pool.lastError === null ? texts[pool.state] : `${texts[pool.state]} (${pool.lastError})`;
}
