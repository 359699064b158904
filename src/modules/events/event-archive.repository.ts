import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Pool } from 'pg';
import { decodeChunks, type LogChunk } from './log-chunk.js';

const expand = promisify(gunzip);
/** A log of this many bytes is refused on reading: nothing that was ever written comes near it. */
const maxArchiveBytes = 1024 * 1024 * 1024;
/** Each archive begins with one byte that says how the rest is kept: 0 as it is, 1 gzipped. */
const plainMark = 0;

/** Logs of tasks that ended before transcripts were kept. Nothing is added any more. Rejects when Postgres is away. */
export class EventArchiveRepository {
  constructor(private readonly pool: Pool) {}

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
    return decodeChunks(kept[0] === plainMark ? bytes : await expand(bytes, { maxOutputLength: maxArchiveBytes }));
  }
}
