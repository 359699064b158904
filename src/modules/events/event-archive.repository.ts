import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Pool } from 'pg';
import { WriteBatcher } from '../../platform/database/write-batcher.js';
import { decodeChunks, encodeChunks, type LogChunk } from './log-chunk.js';

const compress = promisify(gzip);
const expand = promisify(gunzip);
/** A log of this many bytes is refused on reading: nothing we write comes near it. */
const maxArchiveBytes = 1024 * 1024 * 1024;
/** Smaller logs are kept as they are: compressing them costs more than it saves. */
const compressFromBytes = 4096;
/** Each archive begins with one byte that says how the rest is kept. */
const plainMark = Buffer.from([0]);
const gzipMark = Buffer.from([1]);

interface Archive {
  readonly taskId: string;
  readonly bytes: Buffer;
}

/** The durable copy of ended event logs, in Postgres. Rejects when it is away. */
export class EventArchiveRepository {
  private readonly writes: WriteBatcher<Archive, true>;

  constructor(private readonly pool: Pool) {
    this.writes = new WriteBatcher((archives) => this.insert(archives), { maxItems: 64, parallel: 2 });
  }

  /** Keeps a closed log; keeping it twice is the same as once. */
  async keep(taskId: string, chunks: readonly LogChunk[]): Promise<void> {
    const bytes = encodeChunks(chunks);
    const isSmall = bytes.length < compressFromBytes;
    const kept = isSmall ? Buffer.concat([plainMark, bytes]) : Buffer.concat([gzipMark, await compress(bytes)]);
    await this.writes.add({ taskId, bytes: kept });
  }

  /** The chunks of an ended task's log, null when none was kept. */
  async find(taskId: string): Promise<LogChunk[] | null> {
    const found = await this.pool.query<{ chunks: Buffer }>({
      name: 'event-archive-find',
      text: 'SELECT chunks FROM event_archives WHERE task_id = $1',
      values: [taskId],
    });
    const kept = found.rows[0]?.chunks;
    if (kept === undefined) return null;
    const bytes = kept.subarray(1);
    return decodeChunks(kept[0] === plainMark[0] ? bytes : await expand(bytes, { maxOutputLength: maxArchiveBytes }));
  }

  private async insert(archives: readonly Archive[]): Promise<true[]> {
    await this.pool.query({
      name: 'event-archive-keep',
      text: 'INSERT INTO event_archives (task_id, chunks) SELECT * FROM unnest($1::uuid[], $2::bytea[]) ON CONFLICT (task_id) DO NOTHING',
      values: [archives.map(({ taskId }) => taskId), archives.map(({ bytes }) => bytes)],
    });
    return archives.map(() => true);
  }
}
