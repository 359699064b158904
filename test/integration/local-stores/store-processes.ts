import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { Redis } from 'ioredis';
import pg from 'pg';

export type Kind = 'postgres' | 'redis';

export interface StoreOwner {
  readonly url: string;
  readonly attached: boolean;
  /** SIGKILL; resolves when the process is gone. */
  kill9(): Promise<void>;
  /** Lets it stop its store and end. */
  stop(): Promise<void>;
}

const started: ChildProcess[] = [];

/** Another process that runs the store in `dataDir`; resolves when it is ready. */
export async function startOwner(kind: Kind, dataDir: string): Promise<StoreOwner> {
  const script = join(import.meta.dirname, '..', '..', 'support', 'store-owner.mjs');
  const child = spawn(process.execPath, [script, kind, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const exited = once(child, 'exit');
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), exited])) as [unknown];
  if (typeof line !== 'string') throw new Error(`the owner of ${kind} ended before it was ready`);
  const { url, attached } = JSON.parse(line) as { url: string; attached: boolean };
  return {
    url,
    attached,
    kill9: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    stop: async () => {
      child.stdin.end('stop\n');
      await exited;
    },
  };
}

/** Ends the processes a failed test left. */
export async function endOwners(): Promise<void> {
  const alive = started.splice(0).filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(
    alive.map(async (child) => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }),
  );
}

export async function serverPid(kind: Kind, dataDir: string): Promise<number> {
  return Number(await readFile(join(dataDir, kind, 'server.pid'), 'utf8'));
}

/** Writes one fact in a durable way. */
export async function remember(url: string, fact: string): Promise<void> {
  if (url.startsWith('redis')) {
    await withRedis(url, async (redis) => {
      await redis.rpush('facts', fact);
      // Redis answers this once the entry is on disk; its default is within a second.
      await redis.config('SET', 'appendfsync', 'always');
      await redis.rpush('flushed', fact);
    });
    return;
  }
  await withPostgres(url, async (client) => {
    await client.query('CREATE TABLE IF NOT EXISTS facts (fact text)');
    await client.query('INSERT INTO facts VALUES ($1)', [fact]);
  });
}

export async function recall(url: string): Promise<string[]> {
  if (url.startsWith('redis')) return withRedis(url, (redis) => redis.lrange('facts', 0, -1));
  return withPostgres(url, async (client) => {
    const { rows } = await client.query<{ fact: string }>('SELECT fact FROM facts');
    return rows.map((row) => row.fact);
  });
}

async function withPostgres<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
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
