import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ProgressMeter, type ProgressListener } from '../progress.js';

interface Note {
  readonly path: string;
  readonly bytes: number;
  readonly mtime_ms: number;
  readonly sha256: string;
}

/**
 * Remembers the digests of files by path, size and time of change, so that a model of many gigabytes is hashed once and not at every start.
 * Notes live in `<cacheDir>/.verified/`.
 */
export class VerifiedFiles {
  constructor(private readonly cacheDir: string) {}

  /** The remembered digest, lower-case hexadecimal; null when the file is unknown or was changed. */
  async find(path: string): Promise<string | null> {
    try {
      const note = JSON.parse(await readFile(this.notePath(path), 'utf8')) as Partial<Note>;
      const found = await stat(path);
      const isSame = note.path === resolve(path) && note.bytes === found.size && note.mtime_ms === found.mtimeMs;
      return isSame && typeof note.sha256 === 'string' ? note.sha256 : null;
    } catch {
      return null;
    }
  }

  async remember(path: string, sha256: string): Promise<void> {
    const found = await stat(path);
    const note: Note = { path: resolve(path), bytes: found.size, mtime_ms: found.mtimeMs, sha256 };
    await mkdir(join(this.cacheDir, '.verified'), { recursive: true });
    const unfinished = `${this.notePath(path)}.${randomUUID()}`;
    await writeFile(unfinished, JSON.stringify(note));
    await rename(unfinished, this.notePath(path));
  }

  /** The digest of a file: the remembered one, else hashed now, with progress, and remembered. */
  async digest(path: string, progress: ProgressListener, signal: AbortSignal): Promise<string> {
    const known = await this.find(path);
    if (known !== null) return known;
    const { size } = await stat(path);
    const meter = new ProgressMeter(`check sha256 of ${path}`, null, progress);
    meter.begin(0, size);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576, signal })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      meter.reach(bytes);
    }
    meter.finish(bytes);
    const sha256 = hash.digest('hex');
    await this.remember(path, sha256);
    return sha256;
  }

  private notePath(path: string): string {
    return join(this.cacheDir, '.verified', `${createHash('sha256').update(resolve(path)).digest('hex')}.json`);
  }
}
