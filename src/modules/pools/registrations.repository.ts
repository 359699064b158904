import type { Pool } from 'pg';
import { workerRegistration, type WorkerRegistration } from '../../contract/workers.js';

/** More engines than one pool is asked to choose from. */
export const mostRegistrations = 1024;

/** Engines that were bound over HTTP, in Postgres. Every method rejects when that is away. */
export class RegistrationsRepository {
  constructor(private readonly pool: Pool) {}

  /** Keeps a registration, in place of an earlier one of the same replica. False: the pool has as many as it may. */
  async put(registration: WorkerRegistration, identity: string): Promise<boolean> {
    const { pool_id: poolId, replica_id: replicaId } = registration;
    const written = await this.pool.query({
      name: 'registration-put',
      text: `INSERT INTO replica_registrations (pool_id, replica_id, registration, identity, registered_at, answered_at)
        SELECT $1, $2, $3, $4, now(), now()
        WHERE (SELECT count(*) FROM replica_registrations WHERE pool_id = $1 AND replica_id <> $2) < ${mostRegistrations}
        ON CONFLICT (pool_id, replica_id) DO UPDATE SET registration = EXCLUDED.registration, identity = EXCLUDED.identity,
          registered_at = EXCLUDED.registered_at, answered_at = EXCLUDED.answered_at`,
      values: [poolId, replicaId, JSON.stringify(registration), identity],
    });
    return written.rowCount === 1;
  }

  /** All of them. One that this build can't read is left out. */
  async all(): Promise<WorkerRegistration[]> {
    const found = await this.pool.query<{ registration: unknown }>({
      name: 'registrations',
      text: 'SELECT registration FROM replica_registrations ORDER BY pool_id, replica_id',
    });
    return found.rows.flatMap(({ registration }) => workerRegistration.safeParse(registration).data ?? []);
  }

  async remove(poolId: string, replicaId: string): Promise<boolean> {
    const removed = await this.pool.query({
      name: 'registration-remove',
      text: 'DELETE FROM replica_registrations WHERE pool_id = $1 AND replica_id = $2',
      values: [poolId, replicaId],
    });
    return removed.rowCount === 1;
  }

  /** Notes that engines answer now. */
  async answered(poolId: string, replicaIds: readonly string[]): Promise<void> {
    await this.pool.query({
      name: 'registration-answered',
      text: 'UPDATE replica_registrations SET answered_at = now() WHERE pool_id = $1 AND replica_id = ANY($2)',
      values: [poolId, replicaIds],
    });
  }

  /** Removes one that no process has found answering for `silentMs`; false: one has. */
  async removeSilent(poolId: string, replicaId: string, silentMs: number): Promise<boolean> {
    const removed = await this.pool.query({
      name: 'registration-remove-silent',
      text: `DELETE FROM replica_registrations WHERE pool_id = $1 AND replica_id = $2
        AND answered_at < now() - make_interval(secs => $3::double precision / 1000)`,
      values: [poolId, replicaId, silentMs],
    });
    return removed.rowCount === 1;
  }
}
