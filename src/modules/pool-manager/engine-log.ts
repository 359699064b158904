import { copyFile, mkdir, open, rename, rm, stat, truncate, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

const KEPT = 3;
const LARGEST_BYTES = 67_108_864;
const TAIL_BYTES = 8192;
/** A crash of llama.cpp ends in a long backtrace: what it was stands before that. */
const ENDING_BYTES = 65_536;

/** One engine's log file: a new one at every start, the last three kept, each bounded. */
export class EngineLog {
  constructor(readonly path: string) {}

  /** Moves older logs on and opens a new one for appending; the caller closes it after the engine has it. */
  async openNew(): Promise<FileHandle> {
    await mkdir(dirname(this.path), { recursive: true });
    await rm(`${this.path}.${KEPT}`, { force: true });
    for (let number = KEPT - 1; number >= 0; number -= 1)
      await rename(number === 0 ? this.path : `${this.path}.${number}`, `${this.path}.${number + 1}`).catch(
        () => undefined,
      );
    return open(this.path, 'a', 0o640);
  }

  /** Empties a log that has grown too large, keeping a copy; safe because the engine writes in append mode. */
  async bound(largestBytes = LARGEST_BYTES): Promise<void> {
    const size = await stat(this.path).then(
      (found) => found.size,
      () => 0,
    );
    if (size <= largestBytes) return;
    await copyFile(this.path, `${this.path}.1`);
    await truncate(this.path, 0);
  }

  /** The last lines, for an error message; empty when there are none. */
  async tail(lines = 8): Promise<string> {
    return (await this.ending(TAIL_BYTES)).trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** The end of the log; empty without one. */
  async ending(bytes = ENDING_BYTES): Promise<string> {
    const file = await open(this.path, 'r').catch(() => null);
    if (file === null) return '';
    try {
      const { size } = await file.stat();
      const length = Math.min(size, bytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
