import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { watch, type FSWatcher } from 'chokidar';
import type { Handoff } from './handoff.js';
import type { HandoffAnnouncer } from './handoff-announcer.port.js';
import { HandoffFolder } from './handoff-folder.js';
import { HandoffModels } from './handoff-models.js';
import type { HandoffTelemetry } from './handoff.telemetry.js';

/** A pool as far as handoffs depend on it. */
export interface HandoffPool {
  readonly id: string;
  /** Only those attach to engines they do not start. */
  readonly isExternal: boolean;
  /** Replicas of the configuration, which no handoff moves. */
  readonly replicaIds: readonly string[];
}

/** The folder is read anew after so long in any case: not every file system tells of changes. */
const rereadMs = 5000;

/**
 * Watches the folder of handoff files and tells which engines stand behind replicas by them. It goes by what lies there, not by what has
 * happened: a change only says when to look.
 */
export class HandoffWatcher {
  private readonly folder: HandoffFolder;
  private readonly models = new HandoffModels(() => this.lookSoon());
  private bound: ReadonlyMap<string, Handoff> = new Map();
  private readonly told = new Set<string>();
  private watcher: FSWatcher | null = null;
  private timer: NodeJS.Timeout | null = null;
  private reading: Promise<void> = Promise.resolve();
  private directoryId: string | null = null;
  private isDue = false;
  private isStopped = false;

  constructor(
    private readonly directory: string,
    private readonly pools: readonly HandoffPool[],
    private readonly announcer: HandoffAnnouncer,
    private readonly telemetry: HandoffTelemetry,
  ) {
    this.folder = new HandoffFolder(directory, (bad) => telemetry.ignored(bad.file, bad.problem));
  }

  /** Begins; returns at once. A folder that can't be made or watched is told of, and tried again. */
  start(): void {
    this.timer = setInterval(() => this.lookSoon(), rereadMs);
    this.timer.unref();
    this.lookSoon();
  }

  /** Leaves everything bound: the engines go on, and so do other processes. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearInterval(this.timer);
    await this.reading;
    await this.watcher?.close();
  }

  /** One look at a time; changes during one are seen by the next. */
  private lookSoon(): void {
    if (this.isDue || this.isStopped) return;
    this.isDue = true;
    this.reading = this.reading.then(async () => {
      this.isDue = false;
      await this.look().catch((error: unknown) => this.telemetry.watchFailed(error));
    });
  }

  private async look(): Promise<void> {
    this.directoryId ??= await this.open();
    const handoffs = (await this.folder.read()).filter((handoff) => this.isOurs(handoff));
    this.tell(handoffs);
    this.models.keepOnly(handoffs);
    const found = handoffs.map((handoff) => ({ handoff, kvBytesPerToken: this.models.kvBytesPerToken(handoff) }));
    this.announcer.present(this.directoryId, found);
  }

  /** Makes the folder and watches it, before anything in it is read: what comes later is heard of. */
  private async open(): Promise<string> {
    await mkdir(this.directory, { recursive: true });
    const directoryId = await identityOf(this.directory);
    this.watcher = watch(this.directory, { depth: 0, ignoreInitial: true });
    const look = (): void => this.lookSoon();
    this.watcher
      .on('ready', look)
      .on('all', look)
      .on('error', (error) => this.telemetry.watchFailed(error));
    return directoryId;
  }

  private tell(handoffs: readonly Handoff[]): void {
    const now = new Map(handoffs.map((handoff) => [keyOf(handoff), handoff]));
    for (const [key, handoff] of this.bound) if (!now.has(key)) this.telemetry.unbound(handoff);
    for (const [key, handoff] of now) this.telemetry.bound(handoff, this.bound.get(key) ?? null);
    this.bound = now;
  }

  /** Says once of each replica why its handoff is not used. Package pools announce what they run by themselves, and leave handoffs too. */
  private isOurs(handoff: Handoff): boolean {
    const pool = this.pools.find(({ id }) => id === handoff.pool_id);
    if (pool?.isExternal === false) return false;
    const problem =
      pool === undefined
        ? 'the configuration has no such pool'
        : pool.replicaIds.includes(handoff.replica_id)
          ? 'the configuration has a replica of that id'
          : null;
    const key = keyOf(handoff);
    if (problem === null) this.told.delete(key);
    else if (!this.told.has(key)) this.telemetry.ignored(`${handoff.pool_id}-${handoff.replica_id}`, problem);
    if (problem !== null) this.told.add(key);
    return problem === null;
  }
}

function keyOf({ pool_id: poolId, replica_id: replicaId }: Handoff): string {
  return `${poolId}/${replicaId}`;
}

/** A name that the folder keeps, wherever it is mounted. */
async function identityOf(directory: string): Promise<string> {
  const path = join(directory, '.directory-id');
  await writeFile(path, randomUUID(), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return (await readFile(path, 'utf8')).trim();
}
