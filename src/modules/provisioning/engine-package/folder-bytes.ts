import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of all files below a folder; files that vanish meanwhile count nothing. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const size = await lstat(join(entry.parentPath, entry.name)).then(
      (stat) => stat.size,
      () => 0,
    );
    bytes += size;
  }
  return bytes;
}
