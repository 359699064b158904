import type { Priority } from '../../contract/common.js';
import type { Pool } from '../../contract/pools.js';
import { AppError, invalidParams } from '../../platform/errors/app-error.js';
import type { Leases } from './leases.js';
import { poolView } from './pool-view.js';
import type { LivePool, PoolRegistry } from './pool-registry.js';

/** How many tasks wait for a pool; implemented by the room that keeps the lines. */
export interface QueueDepths {
  depth(poolId: string): Promise<Readonly<Record<Priority, number>>>;
}

/** Shows pools: configuration, probes and what Redis holds at this moment. */
export class ReadPool {
  constructor(
    private readonly registry: PoolRegistry,
    private readonly leases: Leases,
    private readonly depths: QueueDepths,
  ) {}

  /** Rejects with NOT_FOUND. */
  async one(poolId: string): Promise<Pool> {
    const pool = this.registry.find(poolId);
    if (pool === null) throw new AppError('NOT_FOUND', 'There is no pool of that name; see GET /v2/pools.');
    return this.view(pool);
  }

  /** Pools by id. Rejects with INVALID_PARAMS for a cursor that is none of ours. */
  async page(limit: number, cursor: string | undefined): Promise<{ items: Pool[]; next_cursor: string | null }> {
    const after = cursor === undefined ? '' : readCursor(cursor);
    const sorted = this.registry.all().sort((a, b) => (a.config.id < b.config.id ? -1 : 1));
    const rest = sorted.filter(({ config }) => config.id > after);
    const items = await Promise.all(rest.slice(0, limit).map((pool) => this.view(pool)));
    const last = items.at(-1);
    return {
      items,
      next_cursor: rest.length > limit && last !== undefined ? Buffer.from(last.id).toString('base64url') : null,
    };
  }

  private async view(pool: LivePool): Promise<Pool> {
    const ids = pool.replicas.map(({ known }) => known.id);
    const [depth, leases] = await Promise.all([
      this.depths.depth(pool.config.id),
      this.leases.active(pool.config.id, ids),
    ]);
    return poolView(pool, depth, leases);
  }
}

function readCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1');
  if (!/^[A-Za-z0-9._-]{1,63}$/.test(id))
    throw invalidParams([{ field: 'query.cursor', problem: 'is not a cursor of this list' }]);
  return id;
}
