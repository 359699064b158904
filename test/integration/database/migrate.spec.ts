import { appendFile, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { applyMigrations } from '../../../src/platform/database/migrate.js';
import { MigrationError } from '../../../src/platform/database/migration.errors.js';
import { blankDatabase } from '../../support/stores.js';
import { makeTempDir } from '../../support/temp-dirs.js';

const log = { info: () => undefined };

describe('the migration runner', () => {
  let database: Awaited<ReturnType<typeof blankDatabase>>;
  let migrationsDir: string;
  let client: pg.Client;

  beforeEach(async () => {
    database = await blankDatabase();
    migrationsDir = await makeTempDir();
    await addMigration(
      '20260101000000_first',
      "CREATE TABLE animals (name text);\nINSERT INTO animals VALUES ('owl');",
    );
    await addMigration('20260102000000_second', 'ALTER TABLE animals ADD COLUMN legs integer;');
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });

  afterEach(async () => {
    await client.end();
    await database.drop();
    await rm(migrationsDir, { recursive: true });
  });

  it('applies what is missing, in order, once', async () => {
    expect(await migrate()).toEqual(['20260101000000_first', '20260102000000_second']);
    expect(await migrate()).toEqual([]);
    await addMigration('20260103000000_third', 'CREATE TABLE plants (name text);');
    expect(await migrate()).toEqual(['20260103000000_third']);
  });

  it('keeps the ledger that the Prisma tools read', async () => {
    await migrate();
    const { rows } = await client.query('SELECT * FROM _prisma_migrations ORDER BY migration_name');
    expect(rows).toHaveLength(2);
    expect(rows[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      migration_name: '20260101000000_first',
      started_at: expect.any(Date) as Date,
      finished_at: expect.any(Date) as Date,
      rolled_back_at: null,
      logs: null,
      applied_steps_count: 1,
    });
  });

  it('lets one of several processes apply while the others wait', async () => {
    const results = await Promise.all([migrate(), migrate(), migrate(), migrate()]);
    expect(results.filter((applied) => applied.length > 0)).toEqual([
      ['20260101000000_first', '20260102000000_second'],
    ]);
    expect((await client.query('SELECT * FROM animals')).rows).toHaveLength(1);
  });

  it('refuses a migration that was edited after it was applied', async () => {
    await migrate();
    await appendFile(join(migrationsDir, '20260101000000_first', 'migration.sql'), '\n-- a better idea');
    await expect(migrate()).rejects.toThrow(/20260101000000_first was edited after it was applied/);
  });

  it('does not take other line ends for an edit', async () => {
    await migrate();
    await addMigration(
      '20260101000000_first',
      "CREATE TABLE animals (name text);\r\nINSERT INTO animals VALUES ('owl');",
    );
    expect(await migrate()).toEqual([]);
  });

  it('undoes a migration that fails, says where, and applies it once it is repaired', async () => {
    await addMigration('20260103000000_third', 'CREATE TABLE plants (name text);\nCREATE TABBLE rocks (name text);');
    await expect(migrate()).rejects.toThrow(/20260103000000_third failed and was undone: syntax error.*line 2/);
    expect(
      (await client.query("SELECT to_regclass('plants') AS plants, to_regclass('animals') AS animals")).rows,
    ).toEqual([{ plants: null, animals: 'animals' }]);
    await addMigration('20260103000000_third', 'CREATE TABLE plants (name text);');
    expect(await migrate()).toEqual(['20260103000000_third']);
  });

  it('refuses a database that a newer version has migrated', async () => {
    await migrate();
    await rm(join(migrationsDir, '20260102000000_second'), { recursive: true });
    await expect(migrate()).rejects.toThrow(/newer than this version: it has 20260102000000_second/);
  });

  it('refuses to go on after a migration that another tool left half done', async () => {
    await migrate();
    await client.query("UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name LIKE '%second'");
    await expect(migrate()).rejects.toThrow(/20260102000000_second was begun by another tool and not finished/);
  });

  it('names the server that cannot be reached and keeps the password to itself', async () => {
    const url = 'postgresql://someone:secret@127.0.0.1:1/none';
    const failure = await applyMigrations({ url, migrationsDir, log }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MigrationError);
    expect(String(failure)).toContain('127.0.0.1:1');
    expect(String(failure)).not.toContain('secret');
  });

  it('applies the migrations of this project', async () => {
    await rm(migrationsDir, { recursive: true });
    await cp(join(import.meta.dirname, '../../../prisma/migrations'), migrationsDir, { recursive: true });
    expect(await migrate()).not.toEqual([]);
  });

  function migrate(): Promise<string[]> {
    return applyMigrations({ url: database.url, migrationsDir, log });
  }

  async function addMigration(name: string, sql: string): Promise<void> {
    await mkdir(join(migrationsDir, name), { recursive: true });
    await writeFile(join(migrationsDir, name, 'migration.sql'), sql);
  }
});
