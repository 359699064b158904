import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readHandoff, type Handoff } from './handoff.js';

/** Far above any handoff. */
const largestBytes = 65_536;

interface KnownFile {
  /** Time of change and size: while they are the same it is not read again. */
  readonly stamp: string;
  readonly mtimeMs: number;
  /** Its last content that could be read; null: none yet. */
  readonly handoff: Handoff | null;
}

/** A file that can't be used as it is now. */
export interface BadHandoff {
  readonly file: string;
  readonly problem: string;
}

/** The handoff files of a folder, read again where they have changed. */
export class HandoffFolder {
  private known = new Map<string, KnownFile>();

  constructor(
    private readonly directory: string,
    private readonly onBad: (bad: BadHandoff) => void,
  ) {}

  /**
   * The handoffs there are now, one a replica: of several files for the same one the latest counts. A file that was whole before and is not
   * now counts as it was: somebody is writing it. Rejects when the folder can't be listed.
   */
  async read(): Promise<Handoff[]> {
    const names = (await readdir(this.directory)).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
    const found = new Map<string, KnownFile>();
    for (const name of names.toSorted()) {
      const file = await this.look(name);
      if (file !== null) found.set(name, file);
    }
    this.known = found;
    const latest = new Map<string, KnownFile>();
    for (const file of found.values()) {
      if (file.handoff === null) continue;
      const key = `${file.handoff.pool_id}/${file.handoff.replica_id}`;
      if (file.mtimeMs >= (latest.get(key)?.mtimeMs ?? 0)) latest.set(key, file);
    }
    return [...latest.values()].flatMap(({ handoff }) => handoff ?? []);
  }

  /** Null: it is gone meanwhile. */
  private async look(name: string): Promise<KnownFile | null> {
    const path = join(this.directory, name);
    const before = this.known.get(name);
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const stamp = `${mtimeMs}/${size}/${ino}`;
      if (before?.stamp === stamp) return before;
      if (size > largestBytes) return this.bad(name, { stamp, mtimeMs, handoff: null }, 'it is too large');
      const read = readHandoff(await readFile(path, 'utf8'));
      if (read.kind === 'read') return { stamp, mtimeMs, handoff: read.handoff };
      return this.bad(name, { stamp, mtimeMs, handoff: before?.handoff ?? null }, read.problem);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      return this.bad(name, { stamp: 'unreadable', mtimeMs: 0, handoff: null }, 'it can not be read');
    }
  }

  /** Told once for each state of a file. */
  private bad(file: string, state: KnownFile, problem: string): KnownFile {
    if (this.known.get(file)?.stamp !== state.stamp) this.onBad({ file, problem });
    return state;
  }
}
