import type { WorkerRegistration } from '../../contract/workers.js';
import { addressProblem } from '../../engines/engine-address.js';
import { AppError, invalidParams } from '../../platform/errors/app-error.js';
import type { PoolRegistry } from './pool-registry.js';
import type { PoolsTelemetry } from './pools.telemetry.js';
import type { Registrations } from './registrations.js';
import { mostRegistrations, type RegistrationsRepository } from './registrations.repository.js';

/** Binds an engine that runs already to an external pool, until it is forgotten. */
export class RegisterReplica {
  constructor(
    private readonly records: {
      readonly repository: RegistrationsRepository;
      readonly registrations: Registrations;
      readonly registry: PoolRegistry;
      readonly telemetry: PoolsTelemetry;
    },
    private readonly allowedHosts: readonly string[],
  ) {}

  /**
   * Resolves when this process knows the replica; the others do within a moment. Whether it is fit is shown by the pool, not here.
   * Rejects with NOT_FOUND (no such pool), INVALID_PARAMS, CONFLICT (a replica of the configuration; too many).
   */
  async run(registration: WorkerRegistration, identity: string): Promise<void> {
    const { repository, registrations, registry, telemetry } = this.records;
    this.check(registration);
    if (!(await repository.put(registration, identity))) {
      const message = `The pool has ${mostRegistrations} registered replicas already; delete some of them.`;
      throw new AppError('CONFLICT', message, { poolId: registration.pool_id });
    }
    telemetry.registered(registration, identity);
    await registrations.changed();
    await registry.look(registration.pool_id);
  }

  private check({ pool_id: poolId, replica_id: replicaId, url }: WorkerRegistration): void {
    const pool = this.records.registry.find(poolId);
    if (pool === null) throw new AppError('NOT_FOUND', 'There is no pool of that name; see GET /v2/pools.');
    if (pool.config.provisioning.mode !== 'external') {
      throw invalidParams([{ field: 'pool_id', problem: 'names a pool that starts its engines by itself' }]);
    }
    if (pool.config.replicas.some(({ id }) => id === replicaId)) {
      const message = 'The configuration has a replica of that id in this pool; register another id.';
      throw new AppError('CONFLICT', message, { poolId });
    }
    const problem = addressProblem(url, this.allowedHosts, pool.config.engine.id);
    if (problem !== null) throw invalidParams([{ field: 'url', problem }]);
    if (pool.apiKey !== undefined && this.allowedHosts.length === 0) {
      const problem = "would be sent the key of the pool's engines: name its host in registration.allowed_hosts";
      throw invalidParams([{ field: 'url', problem }]);
    }
  }
}
