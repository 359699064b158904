import type { FastifyInstance } from 'fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DeadlineWatch, Reconciler } from '../../modules/dispatch/index.js';
import { packageVersion } from '../../modules/meta/index.js';
import { AnnounceHandoffs, AnnounceReplica } from '../../modules/pools/index.js';
import { FollowMove, type EndTask } from '../../modules/tasks/index.js';
import type { Role } from '../../contract/config.js';
import type { AppConfig } from '../../platform/config/app-config.js';
import { processEnvironment } from '../../platform/config/process-environment.js';
import { Acceptors } from '../../platform/http/acceptors.js';
import { mountDocs } from '../../platform/http/docs.js';
import { createHttpApp } from '../../platform/http/http-app.js';
import type { Log } from '../../platform/observability/logger.js';
import { createApiRole, type ApiRole } from '../api/api-role.js';
import { dropTaskOf, endTaskOf, openGround, type Ground } from '../ground/ground.js';
import { forgetSeries } from '../ground/forget-series.js';
import { healthProbes } from '../ground/health-probes.js';
import type { Stores } from '../ground/stores.js';
import { createPoolManagerRole, type PoolManagerRole } from '../pool-manager/pool-manager-role.js';
import { createAdapters } from '../worker/adapters.js';
import { createWorkerRole, startEngineThread, type WorkerRole } from '../worker/worker-role.js';
import { AppModule } from './app.module.js';
import { GpuWatch } from './gpu-watch.js';
import { RedisAnnouncer } from './redis-announcer.js';

const reconcileMs = 5000;
const deadlineLookMs = 200;
/** With the server's own, eight new connections a turn of the event loop. */
const extraAcceptors = 7;

/** The roles of a process; null: it doesn't have it. */
interface Roles {
  readonly api: ApiRole | null;
  readonly worker: WorkerRole | null;
  readonly poolManager: PoolManagerRole | null;
}

/** What looks after open tasks; runs beside the roles. */
interface Upkeep {
  readonly reconciler: Reconciler;
  readonly deadlineWatch: DeadlineWatch;
}

/** A whole process of ours, whatever its roles: built, then started, then stopped, each once. */
export class Orchestrator {
  private readonly gpuWatch: GpuWatch | null;
  private acceptors: Promise<Acceptors> | null = null;

  private constructor(
    readonly ground: Ground,
    private readonly app: NestFastifyApplication,
    private readonly roles: Roles,
    private readonly upkeep: Upkeep,
    private readonly announcer: RedisAnnouncer,
  ) {
    const { api, poolManager } = roles;
    const shown = poolManager === null ? null : ground.metrics;
    // Health of external engines is looked at by the api role, so their GPUs are, too.
    this.gpuWatch =
      api === null && poolManager === null
        ? null
        : new GpuWatch(ground.pools, ground.gpuMemory, processEnvironment(), shown);
  }

  /** Connects and wires. Rejects with a readable error when a store can't be used. */
  static async create(config: AppConfig, log: Log, stores: Stores): Promise<Orchestrator> {
    const ground = await openGround(config, log, stores);
    const { commands } = ground.redis;
    const announcer = new RedisAnnouncer(
      new AnnounceReplica(commands, ground.pools),
      new AnnounceHandoffs(commands, ground.pools, ground.selfTests),
    );
    const roles = await createRoles(ground, announcer);
    const { api } = roles;
    const app = await createHttpApp(AppModule.register(healthProbes(ground), api?.modules ?? []), config, log);
    if (api !== null) {
      api.mount(app.getHttpAdapter().getInstance() as unknown as FastifyInstance);
      mountDocs(app, packageVersion());
    }
    await app.init();
    return new Orchestrator(ground, app, roles, createUpkeep(ground, endTaskIn(ground, api)), announcer);
  }

  /** Null in a process that runs no engines. */
  get poolManager(): PoolManagerRole | null {
    return this.roles.poolManager;
  }

  /** Starts all roles and listens. Resolves with the address. */
  async start(): Promise<string> {
    const { ground } = this;
    const { api, worker, poolManager } = this.roles;
    const { reconciler, deadlineWatch } = this.upkeep;
    forgetSeries(ground.pools, ground.metrics);
    await ground.pools.start();
    await api?.start();
    await worker?.start();
    poolManager?.start();
    this.gpuWatch?.start();
    if (api !== null || worker !== null) {
      reconciler.start();
      deadlineWatch.start(deadlineLookMs);
      ground.redis.commands.on('ready', () => void reconciler.run());
    }
    const { host, port } = ground.config.listen;
    await this.app.listen(port, host);
    if (api !== null) this.acceptors = Acceptors.beside(this.app.getHttpServer(), extraAcceptors);
    return this.app.getUrl();
  }

  /** Lets running tasks end for at most `graceMs`, then stops everything, readers last. */
  async stop(graceMs: number): Promise<void> {
    const accepting = this.acceptors?.then((acceptors) => acceptors.close());
    const closing = this.app.close().catch(() => undefined);
    this.upkeep.deadlineWatch.stop();
    await this.upkeep.reconciler.stop();
    await this.roles.worker?.stop(graceMs);
    await this.roles.api?.stop();
    await closing;
    await accepting;
    this.gpuWatch?.stop();
    this.ground.pools.stop();
    await this.roles.poolManager?.stop();
    await this.announcer.stop();
    await this.ground.close();
  }
}

async function createRoles(ground: Ground, announcer: RedisAnnouncer): Promise<Roles> {
  const { config } = ground;
  const has = (role: Role): boolean => config.roles.includes(role);
  const api = has('api') ? createApiRole(ground) : null;
  const surroundings = { endTask: endTaskIn(ground, api), hub: api?.hub ?? null };
  const worker = has('worker')
    ? createWorkerRole(ground, { ...surroundings, thread: await startEngineThread() })
    : null;
  if (api !== null && worker !== null) api.useStartNow(worker.startNow);
  return { api, worker, poolManager: has('pool-manager') ? poolManagerOf(ground, announcer) : null };
}

function createUpkeep(ground: Ground, endTask: EndTask): Upkeep {
  const { tasks, eventLog, line, queues, deadlines, pools, leases, clock, redis, processId, log } = ground;
  const shared = { tasks, endTask, line, queues, deadlines, clock };
  const dropTask = dropTaskOf(ground, endTask);
  const followMove = new FollowMove(tasks, queues);
  const reconciled = {
    ...shared,
    dropTask,
    followMove,
    redis: redis.commands,
    log: eventLog,
    pools,
    leases,
    logger: log,
  };
  return {
    reconciler: new Reconciler(reconciled, { processId, intervalMs: reconcileMs }),
    deadlineWatch: new DeadlineWatch(shared),
  };
}

/** Readers of this process hear of an end in memory. */
function endTaskIn(ground: Ground, api: ApiRole | null): EndTask {
  return api?.endTask ?? endTaskOf(ground, null);
}

function poolManagerOf({ config, log }: Ground, announcer: RedisAnnouncer): PoolManagerRole | null {
  const role = createPoolManagerRole(
    config,
    createAdapters().adapters,
    { replicas: announcer, handoffs: announcer },
    log,
  );
  return role.isNeeded ? role : null;
}
