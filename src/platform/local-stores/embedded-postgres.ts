import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

import pg from 'pg';

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
import { commandLineOf } from '../processes/process-identity.js';
import { choosePostgresAccount, type PostgresAccount } from './postgres-account.js';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import type { LocalStoreLog, ProgressListener } from './progress.js';
import { rotatedLog } from './server-log.js';
import { messageOf } from '../errors/message-of.js';

const run = promisify(execFile);

const NAME = 'orchestratord';
const START_MS = 180_000;
const ATTEMPTS = 50;

/** For a small machine that does other work too. Durability is never traded. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '128MB',
  max_connections: '100',
  io_method: 'sync',
  jit: 'off',
  logging_collector: 'off',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  log_timezone: 'UTC',
  timezone: 'UTC',
};

export interface EmbeddedPostgresOptions {
  /** `storage.data_dir`; everything lies in its folder `postgres`. */
  readonly dataDir: string;
  readonly log: LocalStoreLog;
  readonly progress?: ProgressListener;
  /** Server settings over ours; tests that throw their data away turn `fsync` off. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Starts the Postgres that npm installed, or attaches to the one a live process of ours runs on the same data.
 *
 * Guaranteed: it listens on 127.0.0.1 only, asks for a random password, keeps its data across restarts and `kill -9`,
 * is never left running without us, and keeps its port while that is free. Rejects with LocalStoreError.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<LocalStore> {
  const directory = join(await realDirectory(options.dataDir), 'postgres');
  return openLocalStore(new EmbeddedPostgres(directory, options), options.log);
}

/** The server without an owner: {@link startEmbeddedPostgres} adds ownership, attaching and restarts. */
export class EmbeddedPostgres implements StoreKind {
  readonly title = 'Postgres';
  readonly stopSignal = 'SIGINT';
  private readonly cluster: string;
  private readonly logFile: string;
  private ready: { binaries: PostgresBinaries; account: PostgresAccount; password: string } | undefined;

  constructor(
    readonly directory: string,
    private readonly options: EmbeddedPostgresOptions,
  ) {
    this.cluster = join(directory, 'data');
    this.logFile = join(directory, 'postgres.log');
  }

  async isOurServer(commandLine: string): Promise<boolean> {
    return commandLine.includes(` -D ${this.cluster} `);
  }

  async prepare(): Promise<void> {
    const binaries = await findPostgresBinaries();
    const probes = [
      [binaries.postgres, '--version'],
      ['test', '-x', this.directory],
    ];
    const account = await choosePostgresAccount(this.cluster, probes);
    const password = await this.password();
    if ((await stat(this.cluster).catch(() => undefined)) === undefined)
      await this.initialise(binaries, account, password);
    await this.checkVersion(binaries.majorVersion);
    this.ready = { binaries, account, password };
  }

  async launch(): Promise<LaunchedServer> {
    if (this.ready === undefined) throw new Error('prepare comes before launch');
    const portFile = join(this.directory, 'port');
    let port = await rememberedPort(portFile);
    await this.removeMisleadingLock();
    for (let attempt = 1; ; attempt += 1) {
      const { path, size } = await rotatedLog(this.logFile);
      const server = await this.spawnServer(port, path);
      const url = this.urlFor(port, this.ready.password);
      if (await this.becomesReady(server, url)) return { url, server };
      await server.stop();
      const output = (await readFile(path, 'utf8').catch(() => '')).slice(size);
      if (/Address already in use/.test(output)) port = await newPort(portFile);
      // The processes of a killed server need a moment to notice; Postgres itself refuses to start beside them.
      else if (!/postmaster[.]pid|pre-existing shared memory/.test(output) || attempt >= ATTEMPTS)
        throw this.startError(output);
      else await delay(200);
      if (attempt >= ATTEMPTS) throw this.startError(output);
    }
  }

  async answers(url: string): Promise<boolean> {
    return (await connectionProblem(url)) === undefined;
  }

  /** Made once and kept beside the data, readable by this user only. */
  private async password(): Promise<string> {
    const file = join(this.directory, 'password');
    const known = (await readFile(file, 'utf8').catch(() => '')).trim();
    if (known !== '') return known;
    if ((await stat(this.cluster).catch(() => undefined)) !== undefined) {
      throw new LocalStoreError(
        `${file} is gone, so the data in ${this.cluster} can't be opened. Put it back, or move the data away to start anew.`,
      );
    }
    const password = randomBytes(24).toString('hex');
    await writeFile(`${file}.new`, `${password}\n`, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
    return password;
  }

  /** Builds the cluster aside and moves it in place when complete, so that dying half way leaves nothing half. */
  private async initialise(binaries: PostgresBinaries, account: PostgresAccount, password: string): Promise<void> {
    this.options.progress?.({ step: 'postgres', message: 'creating the database (about a second)' });
    const workshop = await mkdtemp(join(this.directory, 'new-'));
    const passwordFile = join(workshop, 'password');
    const fresh = join(workshop, 'data');
    try {
      await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
      await mkdir(fresh, { mode: 0o700 });
      for (const path of [workshop, passwordFile, fresh]) await account.adopt(path);
      const options = [
        '--username',
        NAME,
        '--pwfile',
        passwordFile,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
      ];
      const [command = '', ...args] = account.wrap([binaries.initdb, '-D', fresh, ...options]);
      await run(command, args, { cwd: '/', maxBuffer: 16 * 1024 * 1024 });
      await rename(fresh, this.cluster);
    } catch (error) {
      throw new LocalStoreError(`Postgres could not create its data in ${this.directory}: ${messageOf(error)}`);
    } finally {
      await rm(workshop, { recursive: true, force: true });
    }
  }

  private async checkVersion(expected: string): Promise<void> {
    const found = (await readFile(join(this.cluster, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
    if (found === expected) return;
    throw new LocalStoreError(
      `${this.cluster} was written by Postgres ${found || '(unknown)'}, the one installed here is ${expected}. ` +
        'Dump it with the old version and restore it into a server of yours (DATABASE_URL), or move the data away to start anew.',
    );
  }

  /**
   * After a crash of the whole machine or container the lock may name a pid that someone else has now, and Postgres
   * would wait for that one for ever. A lock of a pid that nobody has it clears away itself.
   */
  private async removeMisleadingLock(): Promise<void> {
    const lock = join(this.cluster, 'postmaster.pid');
    const pid = Number.parseInt(await readFile(lock, 'utf8').catch(() => ''), 10);
    const commandLine = pid > 0 ? await commandLineOf(pid) : undefined;
    if (commandLine !== undefined && !(await this.isOurServer(commandLine))) await rm(lock, { force: true });
  }

  private spawnServer(port: number, logFile: string): Promise<GuardedServer> {
    if (this.ready === undefined) throw new Error('prepare comes before launch');
    const { account, binaries } = this.ready;
    const settings = Object.entries({ ...SETTINGS, ...this.options.settings }).flatMap(([key, value]) => [
      '-c',
      `${key}=${value}`,
    ]);
    return startGuarded({
      command: account.wrap([binaries.postgres, '-D', this.cluster, '-p', String(port), ...settings]),
      stopSignal: 'INT',
      graceSeconds: 20,
      logFile,
      pidFile: pidFileOf(this.directory),
    });
  }

  private urlFor(port: number, password: string): string {
    return `postgresql://${NAME}:${password}@127.0.0.1:${port}/${NAME}`;
  }

  /** Waits through crash recovery, as long as the server lives; makes our database when it is missing. */
  private async becomesReady(server: GuardedServer, url: string): Promise<boolean> {
    let isAlive = true;
    void server.exited.then(() => (isAlive = false));
    const startedAt = Date.now();
    while (isAlive && Date.now() - startedAt < START_MS) {
      const problem = await connectionProblem(url);
      // 3D000: the server is up and our database isn't there yet.
      if (problem === '3D000') await createDatabase(url);
      // 28P01 can't happen with our own server: someone else listens on this port, and ours is about to say so.
      if (problem === undefined) return isAlive;
      if (Date.now() - startedAt > 3_000)
        this.options.progress?.({ step: 'postgres', message: 'recovering after a crash' });
      await delay(25);
    }
    return false;
  }

  private startError(output: string): LocalStoreError {
    const lines = output.trim().split('\n').slice(-6).join('\n  ');
    return new LocalStoreError(
      `Postgres does not start. The end of ${resolve(this.logFile)}:\n  ${lines || '(nothing)'}`,
    );
  }
}

/** Undefined when a connection works, else the SQLSTATE or system error code. */
async function connectionProblem(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return undefined;
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url.replace(/[^/]*$/, 'postgres') });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${NAME}`);
  } catch (error) {
    const { code } = error as { code?: string };
    // Another process was faster.
    if (code !== '42P04' && code !== '23505') throw error;
  } finally {
    await client.end();
  }
}
