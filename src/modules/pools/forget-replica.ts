import type { PoolRegistry } from './pool-registry.js';
import type { PoolsTelemetry } from './pools.telemetry.js';
import type { Registrations } from './registrations.js';
import type { RegistrationsRepository } from './registrations.repository.js';
import type { SelfTests } from './self-tests.js';

/** Forgets registered engines. One that is not registered: nothing happens. Rejects when Postgres is away. */
export class ForgetReplica {
  constructor(
    private readonly records: {
      readonly repository: Pick<RegistrationsRepository, 'remove' | 'removeSilent'>;
      readonly registrations: Registrations;
      readonly selfTests: SelfTests;
      readonly registry: PoolRegistry;
      readonly telemetry: PoolsTelemetry;
    },
  ) {}

  async run(poolId: string, replicaId: string): Promise<void> {
    if (await this.records.repository.remove(poolId, replicaId)) await this.tell(poolId, replicaId, 'on request');
  }

  /** Only if no process has found it answering for `silentMs`. */
  async ifSilent(poolId: string, replicaId: string, silentMs: number): Promise<void> {
    const isGone = await this.records.repository.removeSilent(poolId, replicaId, silentMs);
    if (isGone) await this.tell(poolId, replicaId, 'it has not answered for too long');
  }

  private async tell(poolId: string, replicaId: string, reason: string): Promise<void> {
    const { selfTests, registrations, registry, telemetry } = this.records;
    telemetry.forgotten(poolId, replicaId, reason);
    // While Redis is away its last self-test stays, and counts should it be registered again.
    await selfTests.forget(poolId, replicaId).catch(() => undefined);
    await registrations.changed();
    await registry.look(poolId);
  }
}
