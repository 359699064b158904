import { rename, stat } from 'node:fs/promises';

const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** Keeps a server's log from growing for ever: past 10 MiB it becomes `<path>.1`. Tells its size before this start. */
export async function rotatedLog(path: string): Promise<{ path: string; size: number }> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size <= MAX_LOG_BYTES) return { path, size };
  await rename(path, `${path}.1`);
  return { path, size: 0 };
}
