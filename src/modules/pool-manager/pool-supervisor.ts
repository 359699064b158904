import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineEndpoint } from '../../engines/engine-adapter.port.js';
import {
  discoverMachine,
  ensureEngine,
  kvBytesPerToken,
  planEngine,
  planText,
  progressText,
  ProvisioningError,
  type EnginePlatform,
  type PreparedEngine,
  type PresentModel,
  type Progress,
} from '../provisioning/index.js';
import { deviceMask, engineCommand, type EngineCommand } from './engine-command.js';
import { EngineLog } from './engine-log.js';
import { EngineProcess } from './engine-process.js';
import { EngineLostError, EngineWatch } from './engine-run.js';
import { freePort } from './free-port.js';
import { discoverGpus, type GpuDiscovery } from './gpus.js';
import { handoffDirectory, removeHandoff, writeHandoff } from './handoff.js';
import { endLeftover } from './pid-file.js';
import type { PackagePool, PoolCollaborators, PoolManagerSettings } from './pool-settings.js';
import { takePool } from './pool-ownership.js';
import { mayFollow, type PoolState } from './pool-state.js';
import type { PoolEvents } from './pool-telemetry.js';
import type { ReplicaAnnouncement } from './replica-announcer.port.js';
import { decideRestart, type LossRecord } from './restart-policy.js';
import { vramShortage } from './vram-check.js';
import { messageOf } from '../../platform/errors/message-of.js';

/** Package pools run one replica. */
const REPLICA_ID = 'r0';

/** An engine that was started. */
interface Started {
  readonly url: string;
  readonly command: EngineCommand;
  readonly prepared: Prepared;
}

/** What is known of an engine once it is ready. */
interface Ready {
  readonly url: string;
  readonly pid: number;
  readonly slots: number;
  readonly ctxMax: number;
  readonly engineVersion: string | null;
}

interface Prepared {
  readonly engine: PreparedEngine;
  readonly model: PresentModel;
}

/**
 * Keeps the engine of one pool running: provisions, starts, tests, announces, watches, and starts again after a loss. One supervisor, one engine
 * process; whatever happens to us, no engine survives.
 */
export class PoolSupervisor {
  private readonly stopping = new AbortController();
  private readonly log: EngineLog;
  private readonly pidFile: string;
  private readonly ownership: string;
  private readonly handoffs: string;
  private current: ReplicaAnnouncement;
  private record: LossRecord = [];
  private running: Promise<void> | null = null;
  private readySinceMs: number | null = null;
  /** Builds that were tried here and can't run on this machine's GPU. */
  private readonly unfit: EnginePlatform[] = [];

  constructor(
    private readonly pool: PackagePool,
    private readonly settings: PoolManagerSettings,
    private readonly collaborators: PoolCollaborators,
    private readonly events: PoolEvents,
  ) {
    const name = `${pool.id}-${REPLICA_ID}`;
    this.log = new EngineLog(join(settings.runtimeDir, 'logs', `${name}.log`));
    this.pidFile = join(settings.runtimeDir, 'pids', `${name}.json`);
    this.ownership = join(settings.runtimeDir, 'pids', `${name}.owner`);
    this.handoffs = handoffDirectory(settings.runtimeDir);
    this.current = blank(pool);
  }

  get status(): ReplicaAnnouncement {
    return this.current;
  }

  /** Begins; returns at once. Progress and success are told by events and announcements. */
  start(): void {
    this.running ??= this.supervise();
  }

  /** Ends the engine (SIGTERM, grace, SIGKILL) and the supervision. Resolves when no process of it is left. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Says nothing of the pool before it is ours, and last of all that it is offline. */
  private async supervise(): Promise<void> {
    const { signal } = this.stopping;
    const release = await takePool(this.ownership, signal, (text) => this.say(text));
    if (release === null) return;
    await this.keepRunning(signal);
    this.enter('offline');
    await release();
  }

  private async keepRunning(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.readySinceMs = null;
      const problem = await this.runOnce(signal).then(
        () => null,
        (error: unknown) => error,
      );
      if (problem === null || signal.aborted) continue;
      await this.rest(problem, signal);
    }
  }

  /** Provisions and runs one engine. Resolves when we are to stop; throws what ended it otherwise. */
  private async runOnce(signal: AbortSignal): Promise<void> {
    this.enter('provisioning');
    await this.clearLeftover();
    await removeHandoff(this.handoffs, this.pool.id, REPLICA_ID).catch(() => undefined);
    const gpus = await discoverGpus(this.settings.environment);
    const prepared = await this.provision(gpus, signal);
    const port = await freePort();
    const command = engineCommand(
      { ...this.pool, ...prepared, alias: this.pool.engine.servedModelName ?? prepared.model.name, port },
      this.settings.engineHost,
      this.settings.environment,
    );
    this.checkVram(prepared, command, gpus);
    this.enter('starting', {
      engineVersion: prepared.engine.version,
      modelDigest: prepared.model.sha256,
      // We ask for no other element type than the engine's own choice, f16.
      kvBytesPerToken: kvBytesPerToken(prepared.model.header.kv),
    });
    const mark = `--port ${port}`;
    const engine = await EngineProcess.start(command, { log: this.log, pidFile: this.pidFile, mark });
    try {
      await this.serve(engine, { url: `http://127.0.0.1:${port}`, command, prepared }, signal);
    } catch (error) {
      this.noteUnfit(error, prepared.engine);
      throw error;
    } finally {
      if (this.current.state === 'ready')
        this.collaborators.announcer.withdraw(this.pool.id, REPLICA_ID, signal.aborted ? 'stopping' : 'lost');
      await removeHandoff(this.handoffs, this.pool.id, REPLICA_ID).catch(() => undefined);
      await engine.stop(this.settings.patience.stopGraceMs);
    }
  }

  private async serve(engine: EngineProcess, started: Started, signal: AbortSignal): Promise<void> {
    const { url, command } = started;
    const endpoint: EngineEndpoint = { poolId: this.pool.id, replicaId: REPLICA_ID, url, timeouts: this.pool.timeouts };
    const adapter = this.collaborators.adapters.get(this.pool.engine.id);
    if (adapter === undefined)
      throw new EngineLostError(`This process speaks to no engine of the kind ${this.pool.engine.id}.`);
    const tools = { adapter, look: this.collaborators.look, log: this.log, patience: this.settings.patience };
    const watch = new EngineWatch(engine, endpoint, tools, this.pool);
    this.say(`starting the engine, process ${engine.pid}`);
    const look = await watch.untilReady(signal);
    const said = {
      url,
      pid: engine.pid,
      slots: look.slots ?? this.pool.slots,
      ctxMax: look.ctxMax ?? command.ctx,
      engineVersion: look.engineVersion ?? this.current.engineVersion,
    };
    await this.leaveHandoff(said, started);
    this.readySinceMs = Date.now();
    this.enter('ready', said);
    await watch.untilLost(signal);
  }

  /** For other programs: what runs here and where. A disk that does not take it is no reason to leave a good engine idle. */
  private async leaveHandoff(said: Ready, { command, prepared: { model } }: Started): Promise<void> {
    const digest = model.sha256 === null ? null : `sha256:${model.sha256}`;
    const handoff = {
      engine: this.pool.engine.id,
      engine_version: said.engineVersion,
      provisioning_mode: 'package',
      url: said.url,
      pool_id: this.pool.id,
      replica_id: REPLICA_ID,
      model: { id: model.name, path: model.path, digest },
      device_mask: command.deviceMask,
      slots: said.slots,
      ctx_max: said.ctxMax,
      flags: [...command.args],
      pid: said.pid,
      started_ms: Date.now(),
    };
    await writeHandoff(this.handoffs, handoff).catch((error: unknown) =>
      this.say(`its handoff file was not written: ${messageOf(error)}`),
    );
  }

  private async clearLeftover(): Promise<void> {
    const leftover = await endLeftover(this.pidFile, this.settings.patience.stopGraceMs);
    if (leftover.kind === 'ended') this.say(`ended engine ${leftover.pid}, left by an earlier run`);
    if (leftover.kind === 'owned')
      throw new EngineLostError(
        `Process ${leftover.ownerPid} already runs this pool from the same runtime folder. Stop it, or set another storage.data_dir.`,
      );
  }

  private async provision(gpus: GpuDiscovery, signal: AbortSignal): Promise<Prepared> {
    const { environment, gpuPolicy, mayInstall, enginesDir } = this.settings;
    const nvidia = gpus.available
      ? { indexes: gpus.gpus.map((gpu) => gpu.index), detail: `nvidia-smi lists ${gpus.gpus.length}` }
      : { indexes: [], detail: gpus.reason };
    const { packageName, version } = this.pool.engine;
    const { unfit } = this;
    const wish = { packageName, version, devices: this.pool.devices, gpuPolicy, mayInstall, enginesDir, unfit };
    const discover = this.collaborators.discoverMachine ?? discoverMachine;
    const plan = planEngine(wish, await discover(environment, nvidia));
    this.say(planText(plan));
    const progress = (event: Progress): void => this.say(progressText(event), event.phase === 'running');
    const engine = await ensureEngine(plan, { environment, progress, signal });
    const model = await this.collaborators.ensureModel.run({ ...this.pool.model, progress, signal });
    if (!model.digestChecked && this.pool.model.ref !== 'demo')
      this.say(`model ${model.name} is used unverified: no digest to compare with; set model.checksum to pin it`);
    return { engine, model };
  }

  /** An engine that its build kept from running is planned anew without that build; for as long as we run, since drivers don't change under us. */
  private noteUnfit(error: unknown, { platform }: PreparedEngine): void {
    if (!(error instanceof EngineLostError) || !error.isOfTheBuild || platform === null) return;
    this.unfit.push(platform);
    this.say(`the build ${platform} can't run on this machine's GPU; looking for another`);
  }

  private checkVram({ engine, model }: Prepared, { ctx }: EngineCommand, gpus: GpuDiscovery): void {
    if (engine.gpu === false || !gpus.available) return;
    const { kv } = model.header;
    // An upper bound would keep models with sliding windows off cards that they fit on.
    const perToken = kv?.isExact === true ? kvBytesPerToken(kv) : null;
    const cache = { bytesPerToken: perToken ?? 0, ctx, slots: this.pool.slots };
    const shortage = vramShortage(model.bytes, cache, gpus.gpus, this.pool.devices);
    if (shortage !== null) throw new EngineLostError(shortage);
  }

  /** Waits for the next attempt; for ever when only another configuration helps. */
  private async rest(problem: unknown, signal: AbortSignal): Promise<void> {
    const lastError = messageOf(problem);
    const isFinal = problem instanceof ProvisioningError && problem.isFinal;
    const nowMs = Date.now();
    const readyForMs = this.readySinceMs === null ? 0 : nowMs - this.readySinceMs;
    const decision = decideRestart(
      this.record,
      { nowMs, readyForMs, random: Math.random() },
      this.settings.patience.restart,
    );
    this.record = decision.record;
    const storm = decision.isStorm ? 'Too many losses in a row; resting. ' : '';
    const idle = { url: null, pid: null, ctxMax: null };
    this.enter('failed', {
      ...idle,
      lastError: storm + lastError,
      nextRetryMs: isFinal ? null : nowMs + decision.delayMs,
    });
    const waiting = isFinal ? aborted(signal) : delay(decision.delayMs, undefined, { signal });
    await waiting.catch(() => undefined);
  }

  private enter(state: PoolState, change: Partial<ReplicaAnnouncement> = {}): void {
    if (!mayFollow(this.current.state, state))
      throw new Error(`A pool can't go from ${this.current.state} to ${state}.`);
    const lastError = state === 'ready' ? null : this.current.lastError;
    const idle = state === 'offline' ? { url: null, pid: null } : {};
    this.current = { ...this.current, nextRetryMs: null, lastError, ...idle, ...change, state };
    this.collaborators.announcer.announce(this.current);
    this.events.status(this.current);
  }

  private say(text: string, isPassing = false): void {
    this.events.progress({ poolId: this.pool.id, text, isPassing });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function blank(pool: PackagePool): ReplicaAnnouncement {
  return {
    poolId: pool.id,
    replicaId: REPLICA_ID,
    url: null,
    slots: pool.slots,
    ctxMax: null,
    engineVersion: null,
    pid: null,
    deviceMask: deviceMask(pool.devices),
    modelDigest: null,
    kvBytesPerToken: null,
    state: 'uninitialized',
    lastError: null,
    nextRetryMs: null,
  };
}
