import { randomUUID } from 'node:crypto';
import { link, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.js';

/** Either we own the directory until `release`, or a live process does. */
export type Claim = { kind: 'owner'; release: () => Promise<void> } | { kind: 'held'; by: ProcessIdentity };

const LOCK_NAME = /^owner[.](\d+)$/;

/**
 * Claims a directory (of a store, of a pool's engine) for this process. A lock left by a dead process counts for nothing.
 *
 * Locks are numbered: a dead owner's `owner.7` is never replaced, only outnumbered by `owner.8`, which `link` creates
 * for exactly one of those who try. The highest number counts; its maker clears away the lower ones. So two processes
 * that find the same dead owner can't both believe they took over, and one that dies at any point blocks nobody.
 */
export async function claimOwnership(directory: string): Promise<Claim> {
  const self = await identifyProcess(process.pid);
  if (self === undefined) throw new Error('cannot read the start time of this process');
  for (;;) {
    const highest = Math.max(0, ...(await lockNumbers(directory)));
    const holder = highest === 0 ? undefined : await readHolder(lockPath(directory, highest));
    if (holder !== undefined && (await isRunning(holder))) return { kind: 'held', by: holder };
    const mine = highest + 1;
    if (await createLock(directory, mine, self)) {
      const numbers = await lockNumbers(directory);
      if (Math.max(...numbers) === mine) {
        await Promise.all(numbers.filter((n) => n < mine).map((n) => rm(lockPath(directory, n), { force: true })));
        return { kind: 'owner', release: () => rm(lockPath(directory, mine), { force: true }) };
      }
      await rm(lockPath(directory, mine), { force: true });
    }
  }
}

function lockPath(directory: string, number: number): string {
  return join(directory, `owner.${number}`);
}

async function lockNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => {
    const number = LOCK_NAME.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

/** The process named in a lock file; undefined when the file is gone or, after a power loss, unreadable. */
async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const { pid, startedAt } = JSON.parse(await readFile(path, 'utf8')) as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : undefined;
  } catch {
    return undefined;
  }
}

async function createLock(directory: string, number: number, self: ProcessIdentity): Promise<boolean> {
  const draft = join(directory, `.owner-${randomUUID()}`);
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
  try {
    await link(draft, lockPath(directory, number));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
