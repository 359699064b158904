import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Pool } from 'pg';
import { decodeChunks, encodeChunks, type LogChunk } from './log-chunk.js';

const compress = promisify(gzip);
const expand = promisify(gunzip);
/** A log of this many bytes is refused on reading: nothing we write comes near it. */
const maxArchiveBytes = 1024 * 1024 * 1024;

/** The durable copy of ended event logs, in Postgres. */
export class EventArchiveRepository {
  constructor(private readonly pool: Pool) {}

  /** Keeps a closed log; keeping it twice is the same as once. */
  async keep(taskId: string, chunks: readonly LogChunk[]): Promise<void> {
    const bytes = await compress(encodeChunks(chunks));
    await this.pool.query({
      name: 'event-archive-keep',
      text: 'INSERT INTO event_archives (task_id, chunks) VALUES ($1, $2) ON CONFLICT (task_id) DO NOTHING',
      values: [taskId, bytes],
    });
  }

  /** The chunks of an ended task's log, null when none was kept. */
  async find(taskId: string): Promise<LogChunk[] | null> {
    const found = await this.pool.query<{ chunks: Buffer }>({
      name: 'event-archive-find',
      text: 'SELECT chunks FROM event_archives WHERE task_id = $1',
      values: [taskId],
    });
    const row = found.rows[0];
    return row === undefined ? null : decodeChunks(await expand(row.chunks, { maxOutputLength: maxArchiveBytes }));
  }
}
