import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { promisify } from 'node:util';

import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LocalStoreError, startEmbeddedPostgres, startLocalRedis } from '../../../src/platform/local-stores/index.js';
import { findRedisServer } from '../../../src/platform/local-stores/redis-binary.js';
import { makeTempDir } from '../../support/temp-dirs.js';

const run = promisify(execFile);
const log = { info: () => undefined, warn: () => undefined };
const searchPath = env.PATH ?? '';

let dataDir: string;

beforeEach(async () => {
  dataDir = await makeTempDir();
});

afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

describe('the local Postgres', () => {
  it('keeps every commit, listens on this machine only and wants its password', async () => {
    const store = await startEmbeddedPostgres({ dataDir, log });
    const client = new pg.Client({ connectionString: store.url });
    await client.connect();
    const { rows } = await client.query<{ name: string; setting: string }>(
      `SELECT name, setting FROM pg_settings WHERE name IN
       ('fsync', 'synchronous_commit', 'listen_addresses', 'server_encoding', 'unix_socket_directories') ORDER BY name`,
    );
    await client.end();
    expect(Object.fromEntries(rows.map((row) => [row.name, row.setting]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      listen_addresses: '127.0.0.1',
      server_encoding: 'UTF8',
      unix_socket_directories: '',
    });
    const stranger = new URL(store.url);
    stranger.password = 'guess';
    await expect(new pg.Client({ connectionString: stranger.href }).connect()).rejects.toMatchObject({ code: '28P01' });
    await store.stop();
  });

  it('refuses data of another Postgres version and says what to do', async () => {
    const store = await startEmbeddedPostgres({ dataDir, log });
    await store.stop();
    await writeFile(join(dataDir, 'postgres', 'data', 'PG_VERSION'), '17\n');
    await expect(startEmbeddedPostgres({ dataDir, log })).rejects.toThrow(/written by Postgres 17.*DATABASE_URL/);
  });

  it('starts although a lock from before a reboot names the pid of another program', async () => {
    const first = await startEmbeddedPostgres({ dataDir, log });
    await first.stop();
    const lock = [
      process.pid,
      join(dataDir, 'postgres', 'data'),
      '1700000000',
      '5432',
      '',
      '127.0.0.1',
      '',
      'ready',
      '',
    ];
    await writeFile(join(dataDir, 'postgres', 'data', 'postmaster.pid'), lock.join('\n'));
    const second = await startEmbeddedPostgres({ dataDir, log });
    expect(second.url).toBe(first.url);
    await second.stop();
  });

  it('says where the log is when the server does not start', async () => {
    const broken = { log_min_messages: 'nonsense' };
    await expect(startEmbeddedPostgres({ dataDir, log, settings: broken })).rejects.toThrow(
      /postgres[.]log:\n.*nonsense/,
    );
  });
});

describe('the local Redis', () => {
  it('writes an append-only file, evicts nothing and wants its password', async () => {
    const store = await startLocalRedis({ dataDir, log, allowInstall: false, searchPath });
    const redis = new Redis(store.url);
    const names = ['appendonly', 'appendfsync', 'maxmemory-policy', 'bind', 'auto-aof-rewrite-min-size'];
    // Redis 6.2 takes one name at a time.
    const settings = (await Promise.all(names.map((name) => redis.config('GET', name)))).flat();
    redis.disconnect();
    expect(settings).toEqual(
      expect.arrayContaining([
        'appendonly',
        'yes',
        'everysec',
        'maxmemory-policy',
        'noeviction',
        'bind',
        '127.0.0.1',
        '268435456',
      ]),
    );
    const stranger = new Redis(store.url.replace(/:\/\/.*@/, '://'), { retryStrategy: null });
    stranger.on('error', () => undefined);
    await expect(stranger.get('anything')).rejects.toThrow(/NOAUTH/);
    stranger.disconnect();
    await store.stop();
  });

  it('passes over a server that is too old', async () => {
    const old = join(dataDir, 'old');
    await mkdir(old);
    await writeFile(join(old, 'redis-server'), '#!/bin/sh\necho "Redis server v=5.0.7 sha=00000000:0"\n');
    await chmod(join(old, 'redis-server'), 0o755);
    const found = await findRedisServer({ directory: join(dataDir, 'bin'), searchPath: old, allowInstall: false });
    expect(found).not.toContain(old);
  });
});

describe('both', () => {
  it('show their passwords in no process list and in no file that others can read', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, log });
    const redis = await startLocalRedis({ dataDir, log, allowInstall: false, searchPath });
    const { stdout } = await run('ps', ['-eo', 'args'], { maxBuffer: 16 * 1024 * 1024 });
    for (const store of [postgres, redis]) expect(stdout).not.toContain(new URL(store.url).password);
    for (const file of ['postgres/password', 'postgres/runtime.json', 'redis/redis.conf', 'redis/runtime.json']) {
      expect({ file, openTo: (await stat(join(dataDir, file))).mode & 0o077 }).toEqual({ file, openTo: 0 });
    }
    await redis.stop();
    await postgres.stop();
  });

  it('name the directory when it cannot be used', async () => {
    const file = join(dataDir, 'a-file');
    await writeFile(file, '');
    await expect(startEmbeddedPostgres({ dataDir: file, log })).rejects.toThrow(LocalStoreError);
    await expect(startEmbeddedPostgres({ dataDir: file, log })).rejects.toThrow(/a-file/);
  });
});
