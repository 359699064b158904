import { Module, type DynamicModule } from '@nestjs/common';
import { ForgetReplica } from './forget-replica.js';
import { PoolsController } from './pools.controller.js';
import { ReadPool } from './read-pool.js';
import { RegisterReplica } from './register-replica.js';
import { WorkersController } from './workers.controller.js';

export interface PoolUseCases {
  readonly readPool: ReadPool;
  readonly registerReplica: RegisterReplica;
  readonly forgetReplica: ForgetReplica;
}

/** `/v2/pools` and `/v2/workers`. */
@Module({})
export class PoolsModule {
  static register({ readPool, registerReplica, forgetReplica }: PoolUseCases): DynamicModule {
    return {
      module: PoolsModule,
      controllers: [PoolsController, WorkersController],
      providers: [
        { provide: ReadPool, useValue: readPool },
        { provide: RegisterReplica, useValue: registerReplica },
        { provide: ForgetReplica, useValue: forgetReplica },
      ],
    };
  }
}
