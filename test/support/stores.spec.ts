import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, it } from 'vitest';

import { freshDatabase, freshRedis, startPrivatePostgres, startPrivateRedis } from './stores.js';

describe('the stores for tests', () => {
  it('give every caller a migrated database of its own', async () => {
    const [one, two] = await Promise.all([freshDatabase(), freshDatabase()]);
    await query(one.url, 'CREATE TABLE mine (fact text)');
    await expect(query(two.url, 'SELECT * FROM mine')).rejects.toMatchObject({ code: '42P01' });
    expect(await query(two.url, 'SELECT migration_name FROM _prisma_migrations')).not.toEqual([]);
    await Promise.all([one.drop(), two.drop()]);
  });

  it('give every caller a Redis of its own', async () => {
    const [one, two] = await Promise.all([freshRedis(), freshRedis()]);
    await one.redis.set('fact', 'mine');
    expect(await two.redis.get('fact')).toBeNull();
    await Promise.all([one.drop(), two.drop()]);
  });

  it('can lose a Redis, have it back with its data, and have it back empty', async () => {
    const server = await startPrivateRedis();
    await withRedis(server.url, (redis) => redis.set('fact', 'kept'));
    await server.kill9();
    await expect(withRedis(server.url, (redis) => redis.ping())).rejects.toThrow(/closed|ECONNREFUSED/);
    await server.restart();
    expect(await withRedis(server.url, (redis) => redis.get('fact'))).toBe('kept');
    server.pause();
    await server.restart({ empty: true });
    expect(await withRedis(server.url, (redis) => redis.get('fact'))).toBeNull();
    await server.drop();
  });

  it('can lose a Postgres and have it back with its data', async () => {
    const server = await startPrivatePostgres();
    await query(server.url, "CREATE TABLE kept AS SELECT 'fact' AS fact");
    await server.kill9();
    await expect(query(server.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.restart();
    expect(await query(server.url, 'SELECT * FROM kept')).toEqual([{ fact: 'fact' }]);
    await server.drop();
  });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}
