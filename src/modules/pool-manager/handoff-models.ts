import { stat } from 'node:fs/promises';
import { cacheTypesIn, kvBytesPerToken, readGgufHeader, type GgufHeader } from '../provisioning/index.js';
import type { Handoff } from './handoff.js';

interface KnownModel {
  /** Time of change and size: while they are the same the file is not read again. */
  readonly stamp: string;
  /** Null: it is no GGUF file, or can't be read here. */
  readonly header: GgufHeader | null;
}

/** What the model files that handoffs name tell of themselves, where they lie on this machine. */
export class HandoffModels {
  private readonly known = new Map<string, KnownModel>();
  private readonly reading = new Set<string>();

  /** @param onNews something was read that was not known before */
  constructor(private readonly onNews: () => void) {}

  /**
   * What a token of context takes in the KV cache of a handed-over engine, bytes; null: not known, or not yet. Returns at once and reads
   * apart: a file on a disk that does not answer must not keep engines from being bound.
   */
  kvBytesPerToken({ engine, model, flags = [] }: Handoff): number | null {
    const path = model?.path;
    if (path === undefined || !path.startsWith('/')) return null;
    void this.readSoon(path);
    const header = this.known.get(path)?.header ?? null;
    return kvBytesPerToken(header?.kv ?? null, engine === 'llamacpp' ? cacheTypesIn(flags) : undefined);
  }

  /** Forgets the files that no handoff names any more. */
  keepOnly(handoffs: readonly Handoff[]): void {
    const named = new Set(handoffs.map(({ model }) => model?.path));
    for (const path of this.known.keys()) if (!named.has(path)) this.known.delete(path);
  }

  private async readSoon(path: string): Promise<void> {
    if (this.reading.has(path)) return;
    this.reading.add(path);
    const before = this.known.get(path);
    // A running engine has loaded what may be gone from the disk by now.
    const found = await read(path, before).catch(() => before ?? { stamp: '', header: null });
    this.known.set(path, found);
    this.reading.delete(path);
    if (JSON.stringify(found.header?.kv) !== JSON.stringify(before?.header?.kv)) this.onNews();
  }
}

async function read(path: string, before: KnownModel | undefined): Promise<KnownModel> {
  const { mtimeMs, size, ino } = await stat(path);
  const stamp = `${mtimeMs}/${size}/${ino}`;
  return before?.stamp === stamp ? before : { stamp, header: await readGgufHeader(path).catch(() => null) };
}
