import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { newPort, rememberedPort } from './free-port.js';
import { type GuardedServer, startGuarded } from './guarded-server.js';
import { LocalStoreError } from './local-store.errors.js';
import {
  type LaunchedServer,
  type LocalStore,
  openLocalStore,
  pidFileOf,
  realDirectory,
  type StoreKind,
} from './local-store.js';
import type { LocalStoreLog, ProgressListener } from './progress.js';
import { findRedisServer } from './redis-binary.js';
import { assertRedisVersion } from './redis-version.js';
import { rotatedLog } from './server-log.js';

const START_MS = 180_000;
const ATTEMPTS = 5;

export interface LocalRedisOptions {
  /** `storage.data_dir`; everything lies in its folder `redis`. */
  readonly dataDir: string;
  readonly log: LocalStoreLog;
  readonly progress?: ProgressListener;
  /** Whether the system's package manager may be used when no server is found; it is never asked to start a service. */
  readonly allowInstall: boolean;
  /** The PATH to search for a server. */
  readonly searchPath: string;
}

/**
 * Starts a private Redis or Valkey, or attaches to the one a live process of ours runs on the same data.
 *
 * Guaranteed: at least 6.2, on 127.0.0.1 only, with a random password that no process list shows, an append-only file
 * written every second, nothing evicted, never left running without us. Rejects with LocalStoreError.
 */
export async function startLocalRedis(options: LocalRedisOptions): Promise<LocalStore> {
  const directory = join(await realDirectory(options.dataDir), 'redis');
  return openLocalStore(new LocalRedis(directory, options), options.log);
}

/** The server without an owner: {@link startLocalRedis} adds ownership, attaching and restarts. */
export class LocalRedis implements StoreKind {
  readonly title = 'Redis';
  readonly stopSignal = 'SIGTERM';
  private readonly logFile: string;
  private readonly configFile: string;
  private readonly portFile: string;
  private ready: { binary: string; password: string } | undefined;

  constructor(
    readonly directory: string,
    private readonly options: LocalRedisOptions,
  ) {
    this.logFile = join(directory, 'redis.log');
    this.configFile = join(directory, 'redis.conf');
    this.portFile = join(directory, 'port');
  }

  /** The server replaces its command line by its name and address. */
  async isOurServer(commandLine: string): Promise<boolean> {
    const port = (await readFile(this.portFile, 'utf8').catch(() => '')).trim();
    return commandLine.includes(this.configFile) || (port !== '' && commandLine.includes(`127.0.0.1:${port}`));
  }

  async prepare(): Promise<void> {
    await mkdir(join(this.directory, 'data'), { recursive: true, mode: 0o700 });
    const { allowInstall, searchPath, progress } = this.options;
    const binary = await findRedisServer({
      directory: join(this.directory, 'bin'),
      allowInstall,
      searchPath,
      ...(progress && { progress }),
    });
    this.ready = { binary, password: await this.password() };
  }

  async launch(): Promise<LaunchedServer> {
    if (this.ready === undefined) throw new Error('prepare comes before launch');
    let port = await rememberedPort(this.portFile);
    for (let attempt = 1; ; attempt += 1) {
      const { path, size } = await rotatedLog(this.logFile);
      await this.writeConfig(port, this.ready.password);
      const server = await this.spawnServer(this.ready.binary, path);
      const url = `redis://:${this.ready.password}@127.0.0.1:${port}`;
      if (await this.becomesReady(server, url)) return { url, server };
      await server.stop();
      const output = (await readFile(path, 'utf8').catch(() => '')).slice(size);
      if (!/Address already in use/.test(output) || attempt >= ATTEMPTS) throw this.startError(output);
      port = await newPort(this.portFile);
    }
  }

  async answers(url: string): Promise<boolean> {
    return (await ask(url)) === 'ready';
  }

  private async password(): Promise<string> {
    const known = /^requirepass (\S+)$/m.exec(await readFile(this.configFile, 'utf8').catch(() => ''))?.[1];
    return known ?? randomBytes(24).toString('hex');
  }

  /** Plain words of Redis 6.2; the password stands here and not on a command line. */
  private async writeConfig(port: number, password: string): Promise<void> {
    const lines = [
      'bind 127.0.0.1',
      `port ${port}`,
      'protected-mode yes',
      `requirepass ${password}`,
      `dir ${JSON.stringify(join(this.directory, 'data'))}`,
      'daemonize no',
      'supervised no',
      'logfile ""',
      'appendonly yes',
      'appendfsync everysec',
      // Logs of tasks come and go, so the file is mostly of tasks that are gone: at the default of 64 MB, 20,000 tokens/s would have it
      // rewritten every 13 s, which the tokens of that time feel. Read again at a start, this much takes a few seconds.
      'auto-aof-rewrite-min-size 256mb',
      'save ""',
      // A kill -9 may cut the last entry short; the server drops that one and goes on.
      'aof-load-truncated yes',
      'maxmemory-policy noeviction',
      'always-show-logo no',
      'tcp-keepalive 60',
    ];
    await writeFile(`${this.configFile}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
    await rename(`${this.configFile}.new`, this.configFile);
  }

  private spawnServer(binary: string, logFile: string): Promise<GuardedServer> {
    return startGuarded({
      command: [binary, this.configFile],
      stopSignal: 'TERM',
      graceSeconds: 15,
      logFile,
      pidFile: pidFileOf(this.directory),
    });
  }

  /** Waits through loading the data, as long as the server lives. */
  private async becomesReady(server: GuardedServer, url: string): Promise<boolean> {
    let isAlive = true;
    void server.exited.then(() => (isAlive = false));
    const startedAt = Date.now();
    while (isAlive && Date.now() - startedAt < START_MS) {
      const answer = await ask(url);
      if (answer === 'ready') return isAlive;
      if (answer === 'loading') this.options.progress?.({ step: 'redis', message: 'loading its data' });
      await delay(20);
    }
    return false;
  }

  private startError(output: string): LocalStoreError {
    const lines = output.trim().split('\n').slice(-6).join('\n  ');
    return new LocalStoreError(`Redis does not start. The end of ${resolve(this.logFile)}:\n  ${lines || '(nothing)'}`);
  }
}

async function ask(url: string): Promise<'ready' | 'loading' | 'absent'> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3_000,
    retryStrategy: null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    assertRedisVersion(await client.info('server'));
    // INFO answers while loading; an ordinary command doesn't.
    await client.get('');
    return 'ready';
  } catch (error) {
    if (error instanceof LocalStoreError) throw error;
    return error instanceof Error && error.message.startsWith('LOADING') ? 'loading' : 'absent';
  } finally {
    client.disconnect();
  }
}
