import { Module, type DynamicModule } from '@nestjs/common';
import { PoolsController } from './pools.controller.js';
import { ReadPool } from './read-pool.js';

/** `/v2/pools`. */
@Module({})
export class PoolsModule {
  static register(readPool: ReadPool): DynamicModule {
    return {
      module: PoolsModule,
      controllers: [PoolsController],
      providers: [{ provide: ReadPool, useValue: readPool }],
    };
  }
}
