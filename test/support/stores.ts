import { randomUUID } from 'node:crypto';

import { Redis } from 'ioredis';
import pg from 'pg';
import { inject } from 'vitest';

import { TEMPLATE_DATABASE } from './global-setup.js';
import { startPrivateRedis } from './private-server.js';

export { type PrivateServer, startPrivatePostgres, startPrivateRedis } from './private-server.js';

/** An empty database with all migrations applied, on the shared test Postgres. */
export async function freshDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  return copyOf(TEMPLATE_DATABASE);
}

/** A database without any table, on the shared test Postgres. */
export async function blankDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  return copyOf('template1');
}

/** A Redis server of the caller's own with one client, since neither channels nor queues keep to a database number. */
export async function freshRedis(): Promise<{ url: string; redis: Redis; drop(): Promise<void> }> {
  const server = await startPrivateRedis();
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  return {
    url: server.url,
    redis,
    drop: async () => {
      redis.disconnect();
      await server.drop();
    },
  };
}

async function copyOf(template: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
