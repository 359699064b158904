import type { Redis } from 'ioredis';
import { lookAtEngine } from '../../engines/engine-probe.js';
import {
  ArtifactsRepository,
  DeleteArtifact,
  DirectoryStore,
  KeepArtifact,
  ReadArtifact,
  type ArtifactUseCases,
} from '../../modules/artifacts/index.js';
import { Deadlines, Line, PoolQueues } from '../../modules/admission/index.js';
import { EventArchiveRepository, EventHub, EventLog } from '../../modules/events/index.js';
import {
  GpuMemory,
  Leases,
  PoolPerfRecorder,
  PoolRegistry,
  Registrations,
  RegistrationsRepository,
  RunningBoard,
  SelfTests,
  SharedCircuits,
} from '../../modules/pools/index.js';
import { SessionEvictionsRepository, SessionLedger, sessionLimits, Sessions } from '../../modules/sessions/index.js';
import {
  DropTask,
  EndTask,
  KeepTranscript,
  TasksRepository,
  TasksTelemetry,
  TranscriptLogs,
  TurnHistoryRepository,
} from '../../modules/tasks/index.js';
import { systemClock, type Clock } from '../../platform/clock/clock.js';
import type { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { newUuid } from '../../platform/ids/uuid.js';
import { assertRedisVersion } from '../../platform/local-stores/index.js';
import { Metrics } from '../../platform/observability/metrics.js';
import type { Log } from '../../platform/observability/logger.js';
import { RedisConnections } from '../../platform/redis/redis-connections.js';
import type { Stores } from './stores.js';

const redisReadyMs = 10_000;

/** What every role stands on: connections, records and the live state of the pools. One object a process. */
export interface Ground {
  readonly processId: string;
  readonly config: AppConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly redis: RedisConnections;
  readonly database: Database;
  readonly eventLog: EventLog;
  readonly artifacts: ArtifactUseCases;
  readonly transcripts: TranscriptLogs;
  readonly tasks: TasksRepository;
  readonly sessions: Sessions;
  readonly line: Line;
  readonly deadlines: Deadlines;
  readonly queues: PoolQueues;
  readonly leases: Leases;
  readonly perf: PoolPerfRecorder;
  readonly running: RunningBoard;
  readonly circuits: SharedCircuits;
  readonly gpuMemory: GpuMemory;
  readonly registrations: Registrations;
  readonly registrationRows: RegistrationsRepository;
  readonly selfTests: SelfTests;
  readonly pools: PoolRegistry;
  readonly hubId: string | null;
  close(): Promise<void>;
}

/** Connects. Rejects with a readable error when a store can't be used. */
export async function openGround(config: AppConfig, log: Log, stores: Stores): Promise<Ground> {
  const redis = new RedisConnections(stores.redisUrl, whileAway(log, 'Redis'));
  try {
    await redis.ready(redisReadyMs);
    assertRedisVersion(await redis.commands.info('server'));
  } catch (error) {
    redis.close();
    throw error;
  }
  const database = new Database(stores.databaseUrl, whileAway(log, 'Postgres'));
  const clock = systemClock;
  const hubId = config.roles.includes('api') ? EventHub.newId() : null;
  const processId = newUuid().slice(0, 8);
  const poolIds = config.pools.map(({ id }) => id);
  const tasks = new TasksRepository(database.pool);
  const artifacts = artifactUseCases(config, database, clock);
  const queues = new PoolQueues(poolIds, redis.commands);
  return {
    processId,
    config,
    log,
    clock,
    metrics: new Metrics(),
    redis,
    database,
    eventLog: new EventLog(redis.commands, clock, config.streaming.event_ttl_s, hubId),
    artifacts,
    transcripts: new TranscriptLogs(tasks, artifacts.readArtifact, new EventArchiveRepository(database.pool)),
    tasks,
    sessions: sessionsOf(config, redis, database, clock),
    line: new Line(redis.commands, clock),
    deadlines: new Deadlines(redis.commands),
    queues,
    ...poolRecords(config, redis.commands, database, { clock, processId }),
    hubId,
    close: async () => {
      await queues.close();
      redis.close();
      await database.close();
    },
  };
}

function poolRecords(
  config: AppConfig,
  redis: Redis,
  database: Database,
  { clock, processId }: { readonly clock: Clock; readonly processId: string },
) {
  const registrationRows = new RegistrationsRepository(database.pool);
  const records = {
    leases: new Leases(redis, clock),
    perf: new PoolPerfRecorder(redis),
    running: new RunningBoard(redis, clock, processId),
    circuits: new SharedCircuits(redis),
    gpuMemory: new GpuMemory(redis, clock),
    registrations: new Registrations(registrationRows, redis, clock),
    selfTests: new SelfTests(redis, processId),
  };
  const options = { refreshMs: 500, engineKeys: config.secrets.engineKeys, clock };
  const pools = new PoolRegistry(config.pools, redis, lookAtEngine, records, options);
  return { ...records, registrationRows, pools };
}

/** What lies in the directory can be read whatever the configuration says now about writing. */
function artifactUseCases(config: AppConfig, database: Database, clock: Clock): ArtifactUseCases {
  const rows = new ArtifactsRepository(database.pool);
  const files = new DirectoryStore(config.paths.artifactsDir);
  return {
    keepArtifact: new KeepArtifact(rows, config.artifacts.store === 'fs' ? files : null, clock),
    readArtifact: new ReadArtifact(rows, files),
    deleteArtifact: new DeleteArtifact(rows, files),
  };
}

function sessionsOf(config: AppConfig, redis: RedisConnections, { pool }: Database, clock: Clock): Sessions {
  const limits = sessionLimits(config.sessions);
  const ledger = new SessionLedger(redis.commands, clock, limits);
  return new Sessions(limits, ledger, new TurnHistoryRepository(pool), new SessionEvictionsRepository(pool), clock);
}

/** How tasks end in this process. @param hub its readers, if it has any */
export function endTaskOf(ground: Ground, hub: EventHub | null): EndTask {
  const { eventLog: log, tasks, sessions, deadlines, clock } = ground;
  const keepTranscript = new KeepTranscript(ground.artifacts.keepArtifact);
  return new EndTask({ log, keepTranscript, tasks, sessions, deadlines, hub, clock });
}

/** How waiting tasks that lose their places end in this process. */
export function dropTaskOf(ground: Ground, endTask: EndTask): DropTask {
  const { eventLog: log, tasks, line, queues, pools, clock } = ground;
  const telemetry = new TasksTelemetry(ground.metrics, ground.log);
  return new DropTask({ endTask, log, tasks, line, queues, pools, telemetry, clock });
}

/** Says once that a store went away, and not again for a while: every connection and every retry reports it. */
function whileAway(log: Log, store: string): (error: Error) => void {
  let saidMs = 0;
  return (error) => {
    if (Date.now() - saidMs < 5000) return;
    saidMs = Date.now();
    log.warn({ err: error, human: `${store} does not answer; trying again until it does.` }, 'store is away');
  };
}
