import type { Redis } from 'ioredis';
import { parseAnnouncement, type Announcement } from './announcement.js';
import { announcedKey } from './pool-keys.js';
import type { PoolRegistry } from './pool-registry.js';
import type { SelfTests } from './self-tests.js';

/** A replica that a handoff file names. */
export interface HandedOver {
  readonly poolId: string;
  readonly replicaId: string;
  readonly announcement: Announcement;
}

/** Tells all processes which replicas stand by the handoff files of a directory. */
export class AnnounceHandoffs {
  constructor(
    private readonly redis: Redis,
    private readonly registry: PoolRegistry,
    private readonly selfTests: SelfTests,
  ) {}

  /** These are all of the directory now: others that were announced of it before are taken back. Rejects when Redis is away. */
  async run(directoryId: string, handedOver: readonly HandedOver[]): Promise<void> {
    for (const poolId of this.registry.ids) {
      const wanted = new Map(
        handedOver.filter((each) => each.poolId === poolId).map((each) => [each.replicaId, each.announcement]),
      );
      if (await this.update(poolId, directoryId, wanted)) await this.registry.look(poolId);
    }
  }

  private async update(
    poolId: string,
    directoryId: string,
    wanted: ReadonlyMap<string, Announcement>,
  ): Promise<boolean> {
    const there = await this.redis.hgetall(announcedKey(poolId));
    const gone = Object.entries(there)
      .filter(([id, json]) => !wanted.has(id) && directoryOf(json) === directoryId)
      .map(([id]) => id);
    const changed = [...wanted].filter(([id, announcement]) => there[id] !== JSON.stringify(announcement));
    for (const [id, announcement] of changed)
      await this.redis.hset(announcedKey(poolId), id, JSON.stringify(announcement));
    for (const id of gone) {
      await this.redis.hdel(announcedKey(poolId), id);
      await this.selfTests.forget(poolId, id);
    }
    return changed.length + gone.length > 0;
  }
}

function directoryOf(json: string): string | null {
  return parseAnnouncement(json)?.handoff?.directory ?? null;
}
