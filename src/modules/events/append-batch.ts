import { LogChunk } from './log-chunk.js';
import type { PendingChunk } from './pending-chunk.js';

/** A task's part of a batch. Its plain frames are a chunk of an HTTP/1.1 body, as readers get them; those for verbose readers lie behind. */
interface BatchedChunk {
  readonly source: PendingChunk;
  readonly at: number;
  readonly end: number;
  /** 0: the same as plain. */
  readonly verboseLength: number;
}

/**
 * What one call of append-run.lua carries: all frames in one piece, encoded once. Readers of this process are given parts of it, framed as
 * chunks of an HTTP/1.1 body already.
 */
export class AppendBatch {
  /** Ten words for each task that say whose frames lie where; see append-run.lua. */
  readonly words: string;
  readonly bytes: Buffer;
  private readonly chunks: BatchedChunk[] = [];

  /** @param connection the one over which it is to go, by a number of its own: behind another, Redis may have lost what it took before */
  constructor(
    sources: readonly PendingChunk[],
    private readonly connection: number,
  ) {
    // Joined at the end: the strings that grow in between would be a sixth of what a token leaves to be collected.
    const words: (string | number)[] = [];
    let text = '';
    let end = 0;
    for (const source of sources) {
      const { writer, first, last, tokens, facts } = source;
      const length = Buffer.byteLength(source.plain);
      const head = length.toString(16);
      const at = end;
      const plainAt = at + head.length + 2;
      const verboseLength = source.verbose === '' ? 0 : Buffer.byteLength(source.verbose);
      end = plainAt + length + 2;
      text += head + '\r\n' + source.plain + '\r\n';
      if (verboseLength > 0) text += source.verbose;
      words.push(writer.taskId, writer.fence, first, last, tokens, plainAt, length, verboseLength, facts || '-');
      words.push(writer.takenOver === connection ? 0 : 1);
      this.chunks.push({ source, at, end, verboseLength });
      end += verboseLength;
    }
    this.words = words.join(' ');
    this.bytes = Buffer.from(text, 'utf8');
  }

  /** Tells the writers whether their chunks were taken. @param refused places in the batch, from 0 */
  acknowledge(refused: ReadonlySet<number>): void {
    let place = 0;
    for (const { source } of this.chunks) {
      source.writer.takenOver = this.connection;
      source.writer.acknowledge(!refused.has(place++));
    }
  }

  /** What readers here may see: all but what was fenced off. @param refused places in the batch, from 0 */
  delivered(refused: ReadonlySet<number>): LogChunk[] {
    const delivered: LogChunk[] = [];
    let place = 0;
    for (const { source, at, end, verboseLength } of this.chunks) {
      if (!refused.has(place++)) {
        const verbose = verboseLength === 0 ? null : this.bytes.subarray(end, end + verboseLength);
        const wire = this.bytes.subarray(at, end);
        delivered.push(LogChunk.ofWire(source.writer.taskId, source.first, source.last, wire, verbose));
      }
    }
    return delivered;
  }
}
