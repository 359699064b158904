import { AdapterHost } from '../../engines/adapter-host/adapter-host.js';
import { EngineAgent } from '../../engines/http/lean/lean-agent.js';
import { LlamacppAdapter } from '../../engines/llamacpp/llamacpp.adapter.js';
import { OpenAiAdapter } from '../../engines/openai/openai.adapter.js';
import { MockAdapter } from '../../engines/mock/mock.adapter.js';
import { TgiAdapter } from '../../engines/tgi/tgi.adapter.js';
import { TritonAdapter } from '../../engines/triton/triton.adapter.js';
import { VllmAdapter } from '../../engines/vllm/vllm.adapter.js';
import type { EngineAdapter, EngineAdapters } from '../../engines/engine-adapter.port.js';
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

/** The adapters of this build, by engine. */
export function createAdapters(): { readonly adapters: EngineAdapters; readonly close: () => Promise<void> } {
  const agent = new EngineAgent();
  const triton = new TritonAdapter(agent);
  const all: EngineAdapter[] = [
    new LlamacppAdapter(agent),
    new VllmAdapter(agent),
    new TgiAdapter(agent),
    triton,
    new OpenAiAdapter(agent),
    new MockAdapter(),
  ];
  const close = async (): Promise<void> => {
    triton.close();
    await agent.destroy();
  };
  return { adapters: new Map(all.map((adapter) => [adapter.engine, adapter])), close };
}

/** @param hub readers of the same process, fed in memory; null in a process without */
export function createWorkerRole(ground: Ground, endTask: EndTask, hub: EventHub | null): WorkerRole {
  const { redis, pools, queues, leases, perf, running, tasks, clock, log, metrics, config, processId } = ground;
  const { adapters, close } = createAdapters();
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
      await close();
    },
  };
}
