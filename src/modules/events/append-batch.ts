import { LogChunk } from './log-chunk.js';
import type { PendingChunk } from './pending-chunk.js';

/** Where a piece lies in the bytes of a batch. */
interface Place {
  readonly at: number;
  readonly length: number;
}

interface BatchedChunk {
  readonly source: PendingChunk;
  readonly plain: Place;
  /** The frames as a chunk of an HTTP/1.1 body, as readers get them. */
  readonly wire: Place;
  /** Length 0: the same as plain. */
  readonly verbose: Place;
}

/**
 * What one call of append-run.lua carries: all frames in one piece, encoded once. Readers of this process are given parts of it, framed as
 * chunks of an HTTP/1.1 body already.
 */
export class AppendBatch {
  /** Lines that say whose frames lie where; see append-run.lua. */
  readonly lines: string;
  readonly bytes: Buffer;
  private readonly chunks: BatchedChunk[] = [];

  constructor(sources: readonly PendingChunk[]) {
    let lines = '';
    let text = '';
    let end = 0;
    for (const source of sources) {
      const { writer, first, last, tokens, facts } = source;
      const length = Buffer.byteLength(source.plain);
      const head = `${length.toString(16)}\r\n`;
      const plain = { at: end + head.length, length };
      const wire = { at: end, length: head.length + length + 2 };
      const verbose = { at: end + wire.length, length: source.verbose === '' ? 0 : Buffer.byteLength(source.verbose) };
      text += `${head}${source.plain}\r\n${source.verbose}`;
      end = verbose.at + verbose.length;
      lines += `${writer.taskId} ${writer.fence} ${first} ${last} ${tokens} ${plain.at} ${length} ${verbose.at} ${verbose.length} ${facts === '' ? '-' : facts}\n`;
      this.chunks.push({ source, plain, wire, verbose });
    }
    this.lines = lines;
    this.bytes = Buffer.from(text, 'utf8');
  }

  get sources(): PendingChunk[] {
    return this.chunks.map(({ source }) => source);
  }

  /** What readers here may see: all but what was fenced off. @param refused places in the batch, from 0 */
  delivered(refused: ReadonlySet<number>): LogChunk[] {
    const delivered: LogChunk[] = [];
    for (const [place, { source, plain, wire, verbose }] of this.chunks.entries()) {
      if (refused.has(place)) continue;
      const { writer, first, last } = source;
      const bytes = this.part(plain);
      const told = verbose.length === 0 ? bytes : this.part(verbose);
      const span = { first, last, isFinal: false };
      delivered.push(new LogChunk(writer.taskId, span, bytes, told, this.part(wire)));
    }
    return delivered;
  }

  private part({ at, length }: Place): Buffer {
    return this.bytes.subarray(at, at + length);
  }
}
