import { access, constants, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { type GuardedServer, killQuietly } from './guarded-server.js';
import { LocalStoreError } from './local-store.errors.js';
import { claimOwnership } from '../processes/owner-lock.js';
import { commandLineOf, identifyProcess, isRunning, type ProcessIdentity } from '../processes/process-identity.js';
import type { LocalStoreLog } from './progress.js';
import { messageOf } from '../errors/message-of.js';

/** A private store that answers at `url`. */
export interface LocalStore {
  /** Holds the password: never log it. */
  readonly url: string;
  /** True when another live process of ours runs the server and we only use it. */
  readonly attached: boolean;
  /**
   * Stops the server when it is ours, gracefully and within a bounded time; otherwise only lets go of it. Resolves
   * when it is gone. May be called twice.
   */
  stop(): Promise<void>;
}

export interface LaunchedServer {
  readonly url: string;
  readonly server: GuardedServer;
}

/** What differs between the stores. */
export interface StoreKind {
  /** As people call it: `Postgres`, `Redis`. */
  readonly title: string;
  /** Where everything of this store lies, absolute. */
  readonly directory: string;
  /** Tells from a command line whether a process that outlived its owner is this store's server. */
  isOurServer(commandLine: string): Promise<boolean>;
  stopSignal: NodeJS.Signals;
  /** Makes the first start possible; idempotent. */
  prepare(): Promise<void>;
  /** Starts the server and resolves when it accepts connections. */
  launch(): Promise<LaunchedServer>;
  /** Whether a server answers at the address, with our password. */
  answers(url: string): Promise<boolean>;
}

interface RuntimeFile {
  readonly owner: ProcessIdentity;
  readonly url: string;
}

const LINGER_MS = 10_000;
const ATTACH_MS = 120_000;
const WATCH_OWNER_MS = 1_000;
const RESTART_DELAYS_MS = [0, 250, 1_000, 5_000];

export function pidFileOf(directory: string): string {
  return join(directory, 'server.pid');
}

/** Makes the directory and follows links, so that two spellings of one place are one place. */
export async function realDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
    return await realpath(path);
  } catch (error) {
    throw new LocalStoreError(
      `The data directory ${path} can't be made (${String(error)}). Choose another storage.data_dir.`,
    );
  }
}

/** Owns the store in `kind.directory` and starts it, or attaches to the live process that does. */
export async function openLocalStore(kind: StoreKind, log: LocalStoreLog): Promise<LocalStore> {
  try {
    await mkdir(kind.directory, { recursive: true, mode: 0o711 });
    await access(kind.directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new LocalStoreError(
      `The directory ${kind.directory} of ${kind.title} can't be used (${String(error)}). ` +
        'Start as the user that made it, or choose another storage.data_dir.',
    );
  }
  for (;;) {
    const claim = await claimOwnership(kind.directory);
    if (claim.kind === 'owner') return runAsOwner(kind, log, claim.release);
    const url = await addressFromOwner(kind, claim.by);
    if (url !== undefined) return new AttachedStore(kind, log, claim.by, url);
  }
}

async function runAsOwner(kind: StoreKind, log: LocalStoreLog, release: () => Promise<void>): Promise<OwnedStore> {
  try {
    await endLingeringServer(kind, log);
    await kind.prepare();
    const store = new OwnedStore(kind, log, release, await kind.launch());
    await store.publish();
    return store;
  } catch (error) {
    await release();
    throw error;
  }
}

/** A server whose owner was killed is already being stopped by its guardian; only one that lost both needs our help. */
async function endLingeringServer(kind: StoreKind, log: LocalStoreLog): Promise<void> {
  const pid = Number(await readFile(pidFileOf(kind.directory), 'utf8').catch(() => ''));
  const isOurs = async (): Promise<boolean> => {
    const commandLine = pid > 0 ? await commandLineOf(pid) : undefined;
    return commandLine !== undefined && kind.isOurServer(commandLine);
  };
  const isGoneWithin = async (ms: number): Promise<boolean> => {
    const deadline = Date.now() + ms;
    while (await isOurs()) {
      if (Date.now() >= deadline) return false;
      await delay(50);
    }
    return true;
  };
  if (await isGoneWithin(LINGER_MS)) return;
  log.warn(`${kind.title} of an earlier run is still there (pid ${pid}): stopping it`);
  killQuietly(pid, kind.stopSignal);
  if (await isGoneWithin(LINGER_MS)) return;
  killQuietly(pid, 'SIGKILL');
  if (!(await isGoneWithin(LINGER_MS)))
    throw new LocalStoreError(`${kind.title} (pid ${pid}) of an earlier run can't be stopped`);
}

/** Waits while the owner is starting; undefined when it died meanwhile or has just let go. */
async function addressFromOwner(kind: StoreKind, owner: ProcessIdentity): Promise<string | undefined> {
  const deadline = Date.now() + ATTACH_MS;
  while (await isRunning(owner)) {
    const runtime = await readRuntimeFile(kind.directory);
    if (runtime !== undefined && runtime.owner.pid === owner.pid && (await kind.answers(runtime.url)))
      return runtime.url;
    const claim = await claimOwnership(kind.directory);
    if (claim.kind === 'owner') {
      await claim.release();
      return undefined;
    }
    if (Date.now() >= deadline) {
      throw new LocalStoreError(
        `${kind.title} in ${kind.directory} belongs to process ${owner.pid}, which is alive but doesn't get it to answer. Stop that process, then start again.`,
      );
    }
    await delay(100);
  }
  return undefined;
}

function runtimeFileOf(directory: string): string {
  return join(directory, 'runtime.json');
}

async function readRuntimeFile(directory: string): Promise<RuntimeFile | undefined> {
  try {
    return JSON.parse(await readFile(runtimeFileOf(directory), 'utf8')) as RuntimeFile;
  } catch {
    return undefined;
  }
}

/** Runs the server, and starts it again when it dies under us, at the same address, until `stop`. */
class OwnedStore implements LocalStore {
  readonly attached = false;
  readonly url: string;
  private isStopping = false;
  private restarting: Promise<void> | undefined;

  constructor(
    private readonly kind: StoreKind,
    private readonly log: LocalStoreLog,
    private readonly release: () => Promise<void>,
    private launched: LaunchedServer,
  ) {
    this.url = launched.url;
    this.watch(launched.server);
  }

  /** Tells other processes of ours where the server is. */
  async publish(): Promise<void> {
    const owner = await identifyProcess(process.pid);
    const path = runtimeFileOf(this.kind.directory);
    await writeFile(`${path}.new`, JSON.stringify({ owner, url: this.launched.url }), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async stop(): Promise<void> {
    const isFirst = !this.isStopping;
    this.isStopping = true;
    await this.restarting;
    await this.launched.server.stop();
    if (!isFirst) return;
    await rm(runtimeFileOf(this.kind.directory), { force: true });
    await this.release();
  }

  private watch(server: GuardedServer): void {
    void server.exited.then(() => {
      if (!this.isStopping) this.restarting = this.restart();
    });
  }

  private async restart(): Promise<void> {
    this.log.warn(`${this.kind.title} ended unexpectedly: starting it again`);
    for (let attempt = 0; !this.isStopping; attempt += 1) {
      await delay(RESTART_DELAYS_MS[attempt] ?? 10_000, undefined, { ref: false });
      if (this.isStopping) return;
      try {
        // Its guardian alone may have died: two servers must never have the same data.
        await this.launched.server.stop();
        await endLingeringServer(this.kind, this.log);
        this.launched = await this.kind.launch();
        await this.publish();
        if (this.launched.url !== this.url)
          this.log.warn(`${this.kind.title} had to move to another port: restart this process`);
        else this.log.info(`${this.kind.title} is back`);
        this.watch(this.launched.server);
        return;
      } catch (error) {
        this.log.warn(`${this.kind.title} does not start: ${messageOf(error)}`);
      }
    }
  }
}

/** Uses another process's server; when that process ends first, takes over and starts it again at the same address. */
class AttachedStore implements LocalStore {
  private owned: LocalStore | undefined;
  private takingOver: Promise<void> | undefined;
  private readonly timer: NodeJS.Timeout;
  private isStopped = false;

  constructor(
    private readonly kind: StoreKind,
    private readonly log: LocalStoreLog,
    private owner: ProcessIdentity,
    readonly url: string,
  ) {
    this.timer = setInterval(() => {
      this.takingOver ??= this.takeOverWhenFree().finally(() => (this.takingOver = undefined));
    }, WATCH_OWNER_MS).unref();
  }

  get attached(): boolean {
    return this.owned === undefined;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.takingOver;
    await this.owned?.stop();
  }

  private async takeOverWhenFree(): Promise<void> {
    try {
      const claim = await claimOwnership(this.kind.directory);
      if (claim.kind === 'held') {
        this.owner = claim.by;
        return;
      }
      if (this.isStopped) return await claim.release();
      this.log.info(`Process ${this.owner.pid} no longer runs ${this.kind.title}: taking over`);
      this.owned = await runAsOwner(this.kind, this.log, claim.release);
      clearInterval(this.timer);
      if (this.owned.url !== this.url)
        this.log.warn(`${this.kind.title} had to move to another port: restart this process`);
    } catch (error) {
      this.log.warn(`${this.kind.title} can't be taken over: ${messageOf(error)}`);
    }
  }
}
