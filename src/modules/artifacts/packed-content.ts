import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { createGzip, gunzip, gzip, type Gzip } from 'node:zlib';
import type { ArtifactKind } from '../../contract/artifacts.js';

const compress = promisify(gzip);
const expand = promisify(gunzip);

/** A packed content begins with one byte that says how the rest is kept. */
const plainMark = Buffer.from([0]);
const gzipMark = Buffer.from([1]);
/** Smaller contents are kept as they are: compressing them costs more than it saves. */
const compressFromBytes = 4096;
/** Larger ones are compressed while they come: of them only the compressed bytes are held in memory. */
const streamFromBytes = 1024 * 1024;
/** A content of this many bytes is refused on reading: nothing we write comes near it. */
const maxContentBytes = 1024 * 1024 * 1024;

/** A content ready to be kept, with the name that it gives its artifact. */
export interface PackedContent {
  /** `sha256:` and the hash of the canonical JSON of `{kind, content}`. */
  readonly id: string;
  readonly kind: ArtifactKind;
  readonly bytes: Buffer;
}

/** Takes the canonical JSON of a content in pieces; hashes and packs it on the way. */
export class ContentPacker {
  private readonly hash = createHash('sha256').update('{"content":');
  private readonly packed: Buffer[] = [];
  private plain: Buffer[] = [];
  private plainBytes = 0;
  private gzip: Gzip | null = null;

  constructor(private readonly kind: ArtifactKind) {}

  /** The next piece; `await` it before the one after. */
  async add(piece: string): Promise<void> {
    const bytes = Buffer.from(piece, 'utf8');
    this.hash.update(bytes);
    if (this.gzip !== null) return this.compress(this.gzip, bytes);
    this.plain.push(bytes);
    this.plainBytes += bytes.length;
    if (this.plainBytes < streamFromBytes) return;
    const begun = Buffer.concat(this.plain);
    this.plain = [];
    this.gzip = createGzip().on('data', (chunk: Buffer) => this.packed.push(chunk));
    return this.compress(this.gzip, begun);
  }

  /** Nothing is added after this. */
  async finish(): Promise<PackedContent> {
    const id = `sha256:${this.hash.update(`,"kind":${JSON.stringify(this.kind)}}`).digest('hex')}`;
    return { id, kind: this.kind, bytes: await this.pack() };
  }

  private async pack(): Promise<Buffer> {
    if (this.gzip !== null) {
      const ended = once(this.gzip, 'end');
      this.gzip.end();
      await ended;
      return Buffer.concat([gzipMark, ...this.packed]);
    }
    if (this.plainBytes < compressFromBytes) return Buffer.concat([plainMark, ...this.plain]);
    return Buffer.concat([gzipMark, await compress(Buffer.concat(this.plain))]);
  }

  private async compress(into: Gzip, bytes: Buffer): Promise<void> {
    if (!into.write(bytes)) await once(into, 'drain');
  }
}

/** The canonical JSON that was packed. Rejects for bytes that no packer made. */
export async function unpack(packed: Buffer): Promise<Buffer> {
  const rest = packed.subarray(1);
  if (packed[0] === plainMark[0]) return rest;
  if (packed[0] !== gzipMark[0]) throw new Error('unknown mark at the beginning of a packed content');
  return expand(rest, { maxOutputLength: maxContentBytes });
}
