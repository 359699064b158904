import { AdapterHost } from '../../engines/adapter-host/adapter-host.js';
import { EngineThread } from '../../engines/engine-thread/engine-thread.js';
import {
  ClaimTask,
  BackInLine,
  ContinueRun,
  Dispatcher,
  DispatchTelemetry,
  EvictSessions,
  KeepResult,
  RunMeasures,
} from '../../modules/dispatch/index.js';
import { LogAppender, type EventHub } from '../../modules/events/index.js';
import type { EndTask, StartNow } from '../../modules/tasks/index.js';
import type { Ground } from '../ground/ground.js';
import { BindReplicas } from './bind-replicas.js';
import { ScrapeEngines } from './scrape-engines.js';
import { TestReplicas } from './test-replicas.js';

/** A lease outlives a few missed heartbeats. */
const beatsOfALease = 4;

/** The worker role of a process: takes tasks from the queues to the engines. */
export interface WorkerRole {
  start(): Promise<void>;
  readonly startNow: StartNow;
  /** Lets running tasks end for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Starts the thread in which a worker speaks to engines. A fault in it is one of this process, which goes down in order. */
export function startEngineThread(): Promise<EngineThread> {
  return EngineThread.start(new URL('../../bundled/engine-thread.js', import.meta.url), (error) => {
    throw error;
  });
}

/** What a worker has of the process around it. */
interface Surroundings {
  readonly thread: EngineThread;
  readonly endTask: EndTask;
  /** Readers of the same process, fed in memory; null in a process without. */
  readonly hub: EventHub | null;
}

export function createWorkerRole(ground: Ground, { thread, endTask, hub }: Surroundings): WorkerRole {
  const { redis, pools, queues, leases, perf, running, tasks, clock, log, metrics, config, processId } = ground;
  const { adapters } = thread;
  const engines = new AdapterHost(adapters, ground.circuits, clock);
  const binding = new BindReplicas(engines, pools, ground.circuits, clock);
  const scraping = new ScrapeEngines(adapters, pools, metrics);
  const testing = new TestReplicas(adapters, pools, ground.selfTests, clock, log);
  const appender = new LogAppender(redis.commands, hub?.id ?? null, (chunks) => hub?.deliver(chunks));
  const leaseMs = config.worker.lock_ms;
  const claim = new ClaimTask(redis.commands, clock, leaseMs);
  const telemetry = new DispatchTelemetry(metrics, log);
  const evictSessions = new EvictSessions(redis.subscriber, ground.sessions, engines);
  const dispatcher = new Dispatcher(
    queues,
    { commands: redis.commands, subscriber: redis.subscriber, blocking: () => redis.blocking() },
    {
      pools,
      claim,
      leases,
      measures: new RunMeasures(perf, running, metrics, clock),
      appender,
      tasks,
      endTask,
      keepResult: new KeepResult(ground.artifacts.keepArtifact),
      engines,
      telemetry,
      clock,
      eventLog: ground.eventLog,
      sessions: ground.sessions,
      onSessionRun: (sessionId) => evictSessions.ran(sessionId),
      continueRun: new ContinueRun(ground.eventLog, config.worker.max_continuations),
      backInLine: new BackInLine(redis.commands, ground, config.worker.max_continuations),
    },
    {
      processId,
      lockMs: config.worker.lock_ms,
      leaseMs,
      heartbeatMs: leaseMs / beatsOfALease,
      onError: () => undefined,
    },
  );
  return {
    start: async () => {
      ground.circuits.onSet((poolId, replicaId, circuit) => telemetry.circuitChanged(poolId, replicaId, circuit));
      binding.start();
      testing.start();
      scraping.start();
      await evictSessions.start();
      await dispatcher.start();
    },
    startNow: dispatcher.startNow,
    stop: async (graceMs) => {
      testing.stop();
      scraping.stop();
      evictSessions.stop();
      await dispatcher.stop(graceMs);
      await thread.close();
    },
  };
}
