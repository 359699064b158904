import { Controller, Delete, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  workerParams,
  workerRegistration,
  type RegisteredWorker,
  type WorkerRegistration,
} from '../../contract/workers.js';
import { ValidBody, ValidParams } from '../../platform/http/validated.js';
import { ForgetReplica } from './forget-replica.js';
import { RegisterReplica } from './register-replica.js';

/** `/v2/workers`: engines that come and go at run time. */
@Controller('v2/workers')
export class WorkersController {
  constructor(
    @Inject(RegisterReplica) private readonly registerReplica: RegisterReplica,
    @Inject(ForgetReplica) private readonly forgetReplica: ForgetReplica,
  ) {}

  @Post('register')
  @HttpCode(200)
  async register(
    @ValidBody(workerRegistration) registration: WorkerRegistration,
    @Req() request: FastifyRequest,
  ): Promise<RegisteredWorker> {
    const identity = String(request.identity ?? 'none');
    await this.registerReplica.run(registration, identity);
    const { pool_id, replica_id } = registration;
    return { ok: true, identity, pool_id, replica_id };
  }

  @Delete(':pool_id/:replica_id')
  @HttpCode(204)
  async forget(
    @ValidParams(workerParams) { pool_id: poolId, replica_id: replicaId }: { pool_id: string; replica_id: string },
  ): Promise<void> {
    await this.forgetReplica.run(poolId, replicaId);
  }
}
