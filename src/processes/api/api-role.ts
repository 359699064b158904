import type { DynamicModule } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { ArtifactsModule } from '../../modules/artifacts/index.js';
import { LineGauge } from '../../modules/admission/index.js';
import { MetaModule, ReadCapabilities } from '../../modules/meta/index.js';
import { EventHub } from '../../modules/events/index.js';
import { addRateLimitHook, RateLimits } from '../../modules/rate-limits/index.js';
import { SessionsModule } from '../../modules/sessions/index.js';
import {
  busySlots,
  engineVersionOf,
  ForgetReplica,
  ForgetSilent,
  keptKvBytes,
  PoolsModule,
  PoolsTelemetry,
  ReadPool,
  RegisterReplica,
  type PoolUseCases,
} from '../../modules/pools/index.js';
import {
  AdmitAtOnce,
  AdmitInLine,
  CancelTask,
  DeadlineGate,
  DraftTask,
  EngineStop,
  ForeseeTask,
  PlaceTask,
  RateGate,
  ReadTask,
  SessionGate,
  StreamTask,
  SubmitTask,
  TaskReadsRepository,
  TasksModule,
  TasksTelemetry,
  type EndTask,
  type StartNow,
  type TaskUseCases,
} from '../../modules/tasks/index.js';
import type { LineKeeper } from '../../modules/waiting/index.js';
import type { AppError } from '../../platform/errors/app-error.js';
import { mountQueueBoard } from '../../platform/queue-board/queue-board.js';
import { dropTaskOf, endTaskOf, type Ground } from '../ground/ground.js';
import { lineKeeperOf } from './line-keeper.js';

/** The api role of a process: what clients talk to. It admits and streams; engines are out of its reach. */
export interface ApiRole {
  readonly modules: DynamicModule[];
  readonly hub: EventHub;
  readonly endTask: EndTask;
  /** Looks after the lines, beside all processes that admit. */
  readonly lineKeeper: LineKeeper;
  mount(fastify: FastifyInstance): void;
  /** Set by a process that also works: takes tasks straight to an engine. */
  useStartNow(startNow: StartNow): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const quietSweepMs = 5000;
const gaugeMs = 500;

export function createApiRole(ground: Ground): ApiRole {
  const { queues, pools, line } = ground;
  const gauge = new LineGauge(line, pools.ids, (poolId, depth) => countLine(ground, poolId, depth));
  const useCases = createUseCases(ground, gauge);
  const { hub, endTask, atOnce, streamTask, placeTask } = useCases;
  const lineKeeper = lineKeeperOf(ground, gauge, placeTask);
  const pooled = poolUseCases(ground);
  const { forget_after_ms: forgetAfterMs } = ground.config.registration;
  const forgetSilent = new ForgetSilent(
    ground.registrationRows,
    pools,
    pooled.forgetReplica,
    ground.clock,
    forgetAfterMs,
  );
  return {
    modules: [
      TasksModule.register(useCases),
      ArtifactsModule.register(ground.artifacts),
      SessionsModule.register(ground.sessions, {
        bytesOf: ({ poolId, replicaId }, tokens) => keptKvBytes(pools.find(poolId), replicaId, tokens),
      }),
      PoolsModule.register(pooled),
      MetaModule.register(new ReadCapabilities(pools, ground.config)),
    ],
    hub,
    endTask,
    lineKeeper,
    useStartNow: (startNow) => {
      atOnce.startNow = startNow;
    },
    mount: (fastify) => {
      limitRates(ground, fastify);
      mountQueueBoard(fastify, () => queues.all().map(({ queue }) => queue));
    },
    start: async () => {
      await gauge.refresh();
      gauge.start(gaugeMs);
      forgetSilent.start();
      await hub.start();
      lineKeeper.start(ground.config.streaming.queue_frame_ms);
    },
    stop: async () => {
      await lineKeeper.stop();
      gauge.stop();
      forgetSilent.stop();
      streamTask.stop();
      hub.stop();
    },
  };
}

function createUseCases(
  ground: Ground,
  gauge: LineGauge,
): TaskUseCases & {
  readonly hub: EventHub;
  readonly endTask: EndTask;
  readonly atOnce: AdmitAtOnce;
  readonly placeTask: PlaceTask;
} {
  const { config, redis, eventLog: log, transcripts, tasks, sessions, line, queues, pools, deadlines, clock } = ground;
  const telemetry = new TasksTelemetry(ground.metrics, ground.log);
  const hub = new EventHub(ground.hubId ?? EventHub.newId(), redis.subscriber, log, transcripts, {
    sweepMs: quietSweepMs,
    onLastReaderGone: (taskId, wantsCancel) => {
      if (wantsCancel)
        cancelTask
          .run(taskId, 'disconnect')
          .catch((error: unknown) => ground.log.warn({ job_id: taskId, err: error }, 'cancel failed'));
    },
  });
  const endTask = endTaskOf(ground, hub);
  const shared = { log, tasks, line, queues, deadlines, telemetry };
  const cancelTask = new CancelTask({
    ...shared,
    endTask,
    engineStop: new EngineStop(log, tasks),
    ended: transcripts,
    hub,
    pools,
    clock,
  });
  const { heartbeat_ms: heartbeatMs, reader_buffer_bytes: bufferBytes } = config.streaming;
  const placeTask = new PlaceTask(pools, gauge, clock, { mayPin: config.policy.allow_pin });
  const atOnce = new AdmitAtOnce({ ...shared, gauge, clock });
  const inLine = new AdmitInLine({ ...shared, pools, clock, dropTask: dropTaskOf(ground, endTask) });
  const drafts = new DraftTask({ pools, placeTask, sessions });
  const gates = [
    new DeadlineGate(line, pools, clock),
    ...(config.rate_limits === null ? [] : [new RateGate()]),
    new SessionGate(sessions),
  ];
  return {
    submitTask: new SubmitTask({ drafts, tasks, sessions, gates, atOnce, inLine, telemetry }),
    foreseeTask: new ForeseeTask({ pools, drafts, tasks, gates, line, clock }),
    atOnce,
    placeTask,
    readTask: new ReadTask(new TaskReadsRepository(ground.database.prisma), log, endTask, line, pools),
    streamTask: new StreamTask(hub, tasks, transcripts, log, { heartbeatMs, bufferBytes }),
    cancelTask,
    hub,
    endTask,
  };
}

function poolUseCases({ pools: registry, leases, line, config, log, ...ground }: Ground): PoolUseCases {
  const { registrationRows: repository, registrations, selfTests } = ground;
  const records = { repository, registrations, selfTests, registry, telemetry: new PoolsTelemetry(log) };
  return {
    readPool: new ReadPool(registry, leases, line),
    registerReplica: new RegisterReplica(records, config.registration.allowed_hosts),
    forgetReplica: new ForgetReplica(records),
  };
}

/** Before any route is there: hooks count for what is mounted after them. */
function limitRates({ config, redis, metrics }: Ground, fastify: FastifyInstance): void {
  const limits = RateLimits.of(config.rate_limits, redis.commands);
  if (limits === null) return;
  const onRefused = (error: AppError): void => metrics.taskRejected(null, error.code);
  addRateLimitHook(fastify, limits, { trustProxy: config.auth.trust_proxy, onRefused });
}

function countLine(
  { metrics, pools }: Ground,
  poolId: string,
  depth: { readonly interactive: number; readonly batch: number },
): void {
  const pool = pools.find(poolId);
  if (pool === null) return;
  const labels = { engine: pool.config.engine.id, engineVersion: engineVersionOf(pool), poolId };
  metrics.setQueueDepth({ ...labels, priority: 'interactive' }, depth.interactive);
  metrics.setQueueDepth({ ...labels, priority: 'batch' }, depth.batch);
  metrics.setActiveLeases(poolId, busySlots(pool));
  metrics.setPoolReady(poolId, pool.ready);
}
