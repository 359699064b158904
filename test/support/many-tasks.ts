import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

/** Of many tasks, every hundredth is in it. */
export const busySession = '00000000-0000-4000-8000-00000000beef';

/** A second before it the newest of many tasks was created. */
export const newestMs = 1_750_000_000_000;

/** Writes many tasks, the newest `open` of them queued or running: see many-tasks.sql. */
export async function writeManyTasks(db: pg.Pool, count: number, open: number): Promise<void> {
  const sql = await readFile(join(import.meta.dirname, 'many-tasks.sql'), 'utf8');
  await db.query(sql, [count, newestMs, busySession, open]);
}
