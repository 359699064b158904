import type { WorkerRegistration } from '../../contract/workers.js';
import { narrate, type Log } from '../../platform/observability/logger.js';

/** What this room tells of engines that come and go. */
export class PoolsTelemetry {
  constructor(private readonly log: Log) {}

  registered({ pool_id, replica_id, engine }: WorkerRegistration, identity: string): void {
    const human = 'An engine was registered; it gets tasks once it has been tested.';
    narrate(this.log, 'replica registered', human, { pool_id, replica_id, engine, identity });
  }

  forgotten(poolId: string, replicaId: string, reason: string): void {
    const human = 'A registered engine was forgotten: it gets no more tasks.';
    narrate(this.log, 'replica forgotten', human, { pool_id: poolId, replica_id: replicaId, reason });
  }
}
