import { Controller, Get, Inject } from '@nestjs/common';
import { poolListQuery, poolParams, type Pool, type PoolHealth } from '../../contract/pools.js';
import { ValidParams, ValidQuery } from '../../platform/http/validated.js';
import { poolHealthView } from './pool-view.js';
import { ReadPool } from './read-pool.js';

/** `/v2/pools`: the live state of pools. */
@Controller('v2/pools')
export class PoolsController {
  constructor(@Inject(ReadPool) private readonly readPool: ReadPool) {}

  @Get()
  list(
    @ValidQuery(poolListQuery) { limit, cursor }: { limit: number; cursor?: string },
  ): Promise<{ items: Pool[]; next_cursor: string | null }> {
    return this.readPool.page(limit, cursor);
  }

  @Get(':id')
  read(@ValidParams(poolParams) { id }: { id: string }): Promise<Pool> {
    return this.readPool.one(id);
  }

  @Get(':id/health')
  async health(@ValidParams(poolParams) { id }: { id: string }): Promise<PoolHealth> {
    return poolHealthView(await this.readPool.one(id));
  }
}
