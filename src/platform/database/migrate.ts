import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';

import { MigrationError } from './migration.errors.js';
import { messageOf } from '../errors/message-of.js';

/** The number Prisma's own engine takes, so that it and we wait for each other. */
const ADVISORY_LOCK = 72_707_369;
const CONNECT_MS = 10_000;

/** Prisma's ledger, column for column, so that its tools find the database as they expect it. */
const CREATE_LEDGER = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`;

export interface MigrateOptions {
  readonly url: string;
  /** The folder that holds one folder with a `migration.sql` per migration. */
  readonly migrationsDir: string;
  readonly log: { info(message: string): void };
}

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

interface LedgerRow {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

/**
 * Applies the migrations that the database does not have yet, in the order of their names, each in a transaction of
 * its own together with its ledger entry: a failing one leaves nothing behind and can simply be tried again.
 * Of several processes one applies, the others wait for it and then find nothing to do.
 *
 * Refuses with MigrationError: an applied migration whose file changed, a database newer than this code, a migration
 * another tool left half done, SQL that fails, a server that can't be reached.
 *
 * @returns the names of the migrations that were applied now
 */
export async function applyMigrations(options: MigrateOptions): Promise<string[]> {
  const migrations = await readMigrations(options.migrationsDir);
  const client = new pg.Client({
    connectionString: options.url,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'orchestratord migrations',
  });
  // A connection that breaks also fails the query under way, which tells.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw new MigrationError(`Postgres at ${client.host}:${client.port} can't be reached: ${messageOf(error)}`);
  }
  try {
    await takeTurn(client, options);
    await client.query(CREATE_LEDGER);
    const pending = pendingMigrations(migrations, await readLedger(client));
    for (const migration of pending) await apply(client, migration);
    if (pending.length > 0) options.log.info(`Applied ${pending.length} database migration(s)`);
    return pending.map((migration) => migration.name);
  } catch (error) {
    if (error instanceof MigrationError) throw error;
    throw new MigrationError(`The database migrations can't be applied: ${messageOf(error)}`);
  } finally {
    // The lock goes with the connection, also when we die.
    await client.end().catch(() => undefined);
  }
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw new MigrationError(`The migrations can't be read: ${messageOf(error)}`);
  });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.toSorted().map(async (name) => {
      const sql = await readFile(join(directory, name, 'migration.sql'), 'utf8').catch((error: unknown) => {
        throw new MigrationError(`Migration ${name} has no readable migration.sql: ${messageOf(error)}`);
      });
      return { name, sql, checksum: checksumOf(sql) };
    }),
  );
}

/** Line ends don't count: a checkout on another system is no edit. */
function checksumOf(sql: string): string {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex');
}

async function takeTurn(client: pg.Client, { log }: MigrateOptions): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [ADVISORY_LOCK]);
  if (rows[0]?.taken === true) return;
  log.info('Another process is migrating the database: waiting for it');
  await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
}

async function readLedger(client: pg.Client): Promise<LedgerRow[]> {
  const { rows } = await client.query<LedgerRow>(
    'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at',
  );
  return rows;
}

/** Pure: what is to be done, given the files and the ledger. Throws where doing anything would be wrong. */
function pendingMigrations(migrations: readonly Migration[], ledger: readonly LedgerRow[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  const unknown = ledger.filter((row) => !known.has(row.migration_name)).map((row) => row.migration_name);
  if (unknown.length > 0) {
    throw new MigrationError(
      `The database is newer than this version: it has ${unknown.join(', ')}. Start the newer version, or use another database.`,
    );
  }
  for (const row of ledger) {
    if (row.finished_at === null) {
      throw new MigrationError(
        `Migration ${row.migration_name} was begun by another tool and not finished. Repair the database, then delete its row in _prisma_migrations.`,
      );
    }
    if (known.get(row.migration_name)?.checksum !== row.checksum) {
      throw new MigrationError(
        `Migration ${row.migration_name} was edited after it was applied. Restore its migration.sql and put the change into a new migration.`,
      );
    }
  }
  const applied = new Set(ledger.map((row) => row.migration_name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new MigrationError(
      `Migration ${migration.name} failed and was undone: ${messageOf(error)}${place(error, migration.sql)}`,
    );
  }
}

/** The line of the SQL that Postgres complains about, where it says so. */
function place(error: unknown, sql: string): string {
  const position = Number(error instanceof pg.DatabaseError ? error.position : undefined);
  return Number.isInteger(position) && position > 0 ? ` (line ${sql.slice(0, position).split('\n').length})` : '';
}
