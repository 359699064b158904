import type { EngineAdapters } from '../../engines/engine-adapter.port.js';
import { redacted } from '../../engines/redact.js';
import { selfTest } from '../../engines/self-test.js';
import { endpointOf, servedModelName } from '../../modules/dispatch/index.js';
import type { LivePool, LiveReplica, PoolRegistry, SelfTests } from '../../modules/pools/index.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { Log } from '../../platform/observability/logger.js';
import { messageOf } from '../../platform/errors/message-of.js';

const lookMs = 250;
const holdMs = 1000;
/** A model that is read from disk for the first token takes its time. */
const longestMs = 60_000;
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
const longestReason = 300;

/**
 * Tests the replicas that somebody bound at run time, one worker each, and tells all processes what that has shown. Tasks do not come here, and
 * what a test finds says nothing to circuits.
 */
export class TestReplicas {
  /** Replicas under test here, by pool and id. */
  private readonly testing = new Set<string>();
  private readonly tests = new Set<AbortController>();
  private isStopped = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly adapters: EngineAdapters,
    private readonly pools: PoolRegistry,
    private readonly selfTests: SelfTests,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  start(): void {
    this.pools.onChange((poolId) => this.run(poolId));
    this.timer = setInterval(() => {
      for (const poolId of this.pools.ids) this.run(poolId);
    }, lookMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.isStopped = true;
    for (const test of this.tests) test.abort();
  }

  private run(poolId: string): void {
    const pool = this.pools.find(poolId);
    if (pool === null || this.isStopped) return;
    for (const replica of pool.replicas) {
      const { known, live, awaitsSelfTest } = replica;
      if (known.claims !== null && !live) void this.selfTests.revoke(poolId, known.id).catch(() => undefined);
      if (awaitsSelfTest && !this.testing.has(`${poolId}/${known.id}`)) void this.testInTurn(pool, replica);
    }
  }

  private async testInTurn(pool: LivePool, replica: LiveReplica): Promise<void> {
    const before = this.selfTests.of(pool.config.id, replica);
    if (before !== null && before.retry_ms > this.clock.now()) return;
    const key = `${pool.config.id}/${replica.known.id}`;
    this.testing.add(key);
    try {
      if (await this.selfTests.begin(pool.config.id, replica.known.id)) await this.test(pool, replica);
    } catch {
      // Redis is away: it is tested again.
    } finally {
      this.testing.delete(key);
    }
  }

  private async test(pool: LivePool, replica: LiveReplica): Promise<void> {
    const { id: poolId } = pool.config;
    const { id: replicaId, url } = replica.known;
    if (url === null) return;
    const holding = setInterval(() => this.selfTests.hold(poolId, replicaId), holdMs);
    const problem = await this.problemOf(pool, replicaId, url).finally(() => clearInterval(holding));
    if (this.isStopped) return;
    const failures = problem === null ? 0 : (this.selfTests.of(poolId, replica)?.failures ?? 0) + 1;
    this.tell(poolId, replicaId, problem);
    await this.selfTests.end(poolId, replicaId, {
      url,
      engine_version: replica.engineVersion,
      passed: problem === null,
      reason: problem,
      failures,
      retry_ms: problem === null ? 0 : this.clock.now() + pauseMs(failures),
    });
    await this.pools.look(poolId);
  }

  /** Null: it decodes and can be canceled. */
  private async problemOf(pool: LivePool, replicaId: string, url: string): Promise<string | null> {
    const { id: engine } = pool.config.engine;
    const adapter = this.adapters.get(engine);
    if (adapter === undefined) return `this build does not speak to ${engine}`;
    const endpoint = endpointOf(pool, replicaId, url);
    const test = new AbortController();
    const timer = setTimeout(() => test.abort(), longestMs);
    this.tests.add(test);
    try {
      await selfTest({ engine, adapter, endpoint, model: servedModelName(pool) }, test.signal);
      return null;
    } catch (error) {
      const reason = messageOf(error);
      return redacted(reason, pool.apiKey).slice(0, longestReason);
    } finally {
      clearTimeout(timer);
      this.tests.delete(test);
    }
  }

  private tell(poolId: string, replicaId: string, problem: string | null): void {
    const fields = { pool_id: poolId, replica_id: replicaId };
    if (problem === null) {
      this.log.info({ ...fields, human: 'An engine passed its self-test: it gets tasks now.' }, 'self-test passed');
      return;
    }
    const human = 'An engine failed its self-test: it gets no tasks.';
    this.log.warn({ ...fields, reason: problem, human }, 'self-test failed');
  }
}

/** Doubles with each failure in a row. */
function pauseMs(failures: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 20));
}
