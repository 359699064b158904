import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';

import pg from 'pg';
import type { TestProject } from 'vitest/node';

import { applyMigrations } from '../../src/platform/database/migrate.js';
import { type LocalStore, type Progress, startEmbeddedPostgres } from '../../src/platform/local-stores/index.js';
import { findRedisServer } from '../../src/platform/local-stores/redis-binary.js';
import { makeTempDir, removeAbandonedTempDirs } from './temp-dirs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the shared test Postgres; make a database of your own with `freshDatabase`. */
    postgresUrl: string;
  }
}

/** A migrated database that `freshDatabase` copies. */
export const TEMPLATE_DATABASE = 'migrated_template';

/** Throw-away data may be lost in a power cut. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' };

let dataDir: string | undefined;
let postgres: LocalStore | undefined;

/** Starts one real Postgres for all test files, and makes sure that there is a Redis server to start. */
export async function setup(project: TestProject): Promise<void> {
  await removeAbandonedTempDirs();
  dataDir = await makeTempDir();
  const progress = ({ step, message }: Progress): void => {
    project.vitest.logger.log(`${step}: ${message}`);
  };
  const log = { info: () => undefined, warn: (message: string) => project.vitest.logger.warn(message) };
  const searchPath = env.PATH ?? '';
  await findRedisServer({ directory: join(dataDir, 'redis', 'bin'), searchPath, allowInstall: true, progress });
  postgres = await startEmbeddedPostgres({ dataDir, log, progress, settings: SETTINGS });
  await makeTemplate(postgres.url);
  project.provide('postgresUrl', postgres.url);
}

export async function teardown(): Promise<void> {
  await postgres?.stop();
  if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
}

async function makeTemplate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  } finally {
    await client.end();
  }
  const template = new URL(url);
  template.pathname = `/${TEMPLATE_DATABASE}`;
  const migrationsDir = join(import.meta.dirname, '..', '..', 'prisma', 'migrations');
  await applyMigrations({ url: template.href, migrationsDir, log: { info: () => undefined } });
}
