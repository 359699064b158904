import type { Redis } from 'ioredis';
import { z } from 'zod';
import { LuaScript } from '../../platform/redis/lua-script.js';
import type { LiveReplica } from './live-replica.js';
import { selfTestKey, selfTestsKey } from './pool-keys.js';

const selfTestRecord = z.object({
  url: z.string(),
  engine_version: z.string().nullable(),
  /** The worker process that tested. */
  by: z.string(),
  passed: z.boolean(),
  /** Of one that failed: why, how often in a row, and when it may be tested again (Unix ms). */
  reason: z.string().nullable(),
  failures: z.int(),
  retry_ms: z.number(),
});
/** What came of the last self-test of a replica. It counts for this address and version only. */
export type SelfTestRecord = z.infer<typeof selfTestRecord>;

const recordSelfTest = new LuaScript(new URL('./record-self-test.lua', import.meta.url));

/** A worker that is testing and says nothing for so long has died. */
const testerMs = 5000;

/**
 * What self-tests have shown, in Redis: one worker tests, all processes go by it. Should Redis lose it, the replicas are tested again. While
 * Redis is away what is known stands.
 */
export class SelfTests {
  private readonly known = new Map<string, ReadonlyMap<string, SelfTestRecord>>();
  /** Counts own writes: a read that was under way meanwhile is stale. */
  private writes = 0;

  constructor(
    private readonly redis: Redis,
    private readonly processId: string,
  ) {}

  /** The last one of this engine, as far as it is known here; null: none. */
  of(poolId: string, { known, engineVersion }: Pick<LiveReplica, 'known' | 'engineVersion'>): SelfTestRecord | null {
    const record = this.known.get(poolId)?.get(known.id);
    return record !== undefined && record.url === known.url && record.engine_version === engineVersion ? record : null;
  }

  /** Learns what the others have found. Rejects when Redis is away. */
  async refresh(poolId: string): Promise<void> {
    const { writes } = this;
    const fields = await this.redis.hgetall(selfTestsKey(poolId));
    if (this.writes !== writes) return;
    const found = Object.entries(fields).flatMap(([replicaId, json]): [string, SelfTestRecord][] => {
      const record = readRecord(json);
      return record === null ? [] : [[replicaId, record]];
    });
    this.known.set(poolId, new Map(found));
  }

  /** Whether this process may test now: one at a time over all. Renew it with `hold`. Rejects when Redis is away. */
  async begin(poolId: string, replicaId: string): Promise<boolean> {
    return (await this.redis.set(selfTestKey(poolId, replicaId), this.processId, 'PX', testerMs, 'NX')) === 'OK';
  }

  /** To be called every second or so while testing. */
  hold(poolId: string, replicaId: string): void {
    this.redis.pexpire(selfTestKey(poolId, replicaId), testerMs).catch(() => undefined);
  }

  /**
   * Tells all what a test has shown, and lets others test; of a replica that was forgotten meanwhile it tells nothing. Rejects when Redis is
   * away: then it is tested again.
   */
  async end(poolId: string, replicaId: string, record: Omit<SelfTestRecord, 'by'>): Promise<void> {
    this.writes += 1;
    const json = JSON.stringify({ ...record, by: this.processId } satisfies SelfTestRecord);
    const keys = [selfTestKey(poolId, replicaId), selfTestsKey(poolId)];
    await recordSelfTest.run(this.redis, keys, [this.processId, replicaId, json]);
    await this.refresh(poolId);
  }

  /**
   * The engine went away: whatever comes back is tested anew. Only the process that tested it may say so, lest one that alone can't reach an
   * engine keeps it from all others.
   */
  async revoke(poolId: string, replicaId: string): Promise<void> {
    if (this.known.get(poolId)?.get(replicaId)?.by !== this.processId) return;
    await this.forget(poolId, replicaId);
  }

  /** The replica is not bound any more: should it come back, it is tested anew. Rejects when Redis is away. */
  async forget(poolId: string, replicaId: string): Promise<void> {
    this.writes += 1;
    await this.redis.pipeline().hdel(selfTestsKey(poolId), replicaId).del(selfTestKey(poolId, replicaId)).exec();
    await this.refresh(poolId);
  }
}

/** A replica that somebody bound at run time is ready only once it has passed a self-test. Pure. @param record its last one */
export function underSelfTest(replica: LiveReplica, record: SelfTestRecord | null): LiveReplica {
  if (replica.known.claims === null || !replica.ready || record?.passed === true) return replica;
  const awaiting = { ...replica, ready: false, awaitsSelfTest: true };
  return record === null
    ? { ...awaiting, state: 'starting', lastError: 'no worker has tested it yet' }
    : { ...awaiting, state: 'failed', lastError: `its self-test failed: ${record.reason ?? 'unknown reason'}` };
}

function readRecord(json: string): SelfTestRecord | null {
  try {
    return selfTestRecord.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}
