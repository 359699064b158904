import type { FastifyInstance } from 'fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DeadlineWatch, Reconciler } from '../../modules/dispatch/index.js';
import { packageVersion } from '../../modules/meta/index.js';
import { AnnounceReplica } from '../../modules/pools/index.js';
import type { AppConfig } from '../../platform/config/app-config.js';
import { createHttpApp } from '../../platform/http/http-app.js';
import type { Log } from '../../platform/observability/logger.js';
import { createApiRole, type ApiRole } from '../api/api-role.js';
import { endTaskOf, openGround, type Ground } from '../ground/ground.js';
import { healthProbes } from '../ground/health-probes.js';
import type { Stores } from '../ground/stores.js';
import { createPoolManagerRole, type PoolManagerRole } from '../pool-manager/pool-manager-role.js';
import { RedisAnnouncer } from '../pool-manager/redis-announcer.js';
import { createAdapters, createWorkerRole, type WorkerRole } from '../worker/worker-role.js';
import { AppModule } from './app.module.js';
import { mountDocs } from '../../platform/http/docs.js';

const reconcileMs = 5000;
const deadlineLookMs = 200;

/** A whole process of ours, whatever its roles: built, then started, then stopped, each once. */
export class Orchestrator {
  private constructor(
    readonly ground: Ground,
    private readonly app: NestFastifyApplication,
    private readonly api: ApiRole | null,
    private readonly worker: WorkerRole | null,
    readonly poolManager: PoolManagerRole | null,
    private readonly reconciler: Reconciler,
    private readonly deadlineWatch: DeadlineWatch,
    private readonly announcer: RedisAnnouncer,
  ) {}

  /** Connects and wires. Rejects with a readable error when a store can't be used. */
  static async create(config: AppConfig, log: Log, stores: Stores): Promise<Orchestrator> {
    const ground = await openGround(config, log, stores);
    const has = (role: AppConfig['roles'][number]): boolean => config.roles.includes(role);
    const api = has('api') ? createApiRole(ground) : null;
    const endTask = api?.endTask ?? endTaskOf(ground, null);
    const worker = has('worker') ? createWorkerRole(ground, endTask, api?.hub ?? null) : null;
    if (api !== null && worker !== null) api.useStartNow(worker.startNow);
    const announcer = new RedisAnnouncer(new AnnounceReplica(ground.redis.commands, ground.pools));
    const poolManager = has('pool-manager') ? poolManagerOf(config, announcer) : null;
    const { tasks, eventLog, line, queues, deadlines, pools, clock, redis, processId } = ground;
    const together = {
      redis: redis.commands,
      tasks,
      log: eventLog,
      endTask,
      line,
      queues,
      deadlines,
      pools,
      clock,
      logger: log,
    };
    const reconciler = new Reconciler(together, { processId, intervalMs: reconcileMs });
    const app = await createHttpApp(AppModule.register(healthProbes(ground), api?.modules ?? []), config, log);
    if (api !== null) {
      api.mount(app.getHttpAdapter().getInstance() as unknown as FastifyInstance);
      mountDocs(app, packageVersion());
    }
    await app.init();
    return new Orchestrator(ground, app, api, worker, poolManager, reconciler, new DeadlineWatch(together), announcer);
  }

  /** Starts all roles and listens. Resolves with the address. */
  async start(): Promise<string> {
    const { ground, api, worker, poolManager, reconciler, deadlineWatch } = this;
    await ground.pools.start();
    await api?.start();
    await worker?.start();
    poolManager?.start();
    if (api !== null || worker !== null) {
      reconciler.start();
      deadlineWatch.start(deadlineLookMs);
      ground.redis.commands.on('ready', () => void reconciler.run());
    }
    const { host, port } = ground.config.listen;
    await this.app.listen(port, host);
    return this.app.getUrl();
  }

  /** Lets running tasks end for at most `graceMs`, then stops everything, readers last. */
  async stop(graceMs: number): Promise<void> {
    const closing = this.app.close().catch(() => undefined);
    this.deadlineWatch.stop();
    await this.reconciler.stop();
    await this.worker?.stop(graceMs);
    this.api?.stop();
    await closing;
    this.ground.pools.stop();
    await this.poolManager?.stop();
    await this.announcer.stop();
    await this.ground.close();
  }
}

function poolManagerOf(config: AppConfig, announcer: RedisAnnouncer): PoolManagerRole | null {
  const role = createPoolManagerRole(config, createAdapters().adapters, announcer);
  return role.isNeeded ? role : null;
}
