import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ProvisioningError } from '../provisioning.errors.js';

const BEAT_MS = 5_000;
/** A holder whose lock file has not been touched for this long is gone: six beats. */
const SILENT_MS = 30_000;
const POLL_MS = 200;

/**
 * Runs `work` while no other process runs it under the same lock file. A holder that died is noticed at once on this machine, within 30 s
 * through a shared file system. Throws ProvisioningError `canceled` when the signal comes while waiting.
 */
export async function withFileLock<Result>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  await mkdir(dirname(path), { recursive: true });
  const owner = `${hostname()} ${process.pid} ${randomUUID()}`;
  while (!(await take(path, owner))) {
    await breakWhenStale(path);
    await delay(POLL_MS, undefined, { signal }).catch(() => {
      throw new ProvisioningError('canceled', 'Waiting for another process was stopped.');
    });
  }
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
  }, BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await release(path, owner);
  }
}

async function take(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(owner);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function release(path: string, owner: string): Promise<void> {
  // Only the own lock: a holder believed dead may have been replaced meanwhile.
  if ((await readFile(path, 'utf8').catch(() => '')) === owner) await rm(path, { force: true });
}

async function breakWhenStale(path: string): Promise<void> {
  const found = await Promise.all([readFile(path, 'utf8'), stat(path)]).catch(() => null);
  if (found === null) return;
  const [owner, { mtimeMs }] = found;
  const [host, pid] = owner.split(' ');
  const isGone = host === hostname() && pid !== undefined && !isAlive(Number(pid));
  if (!isGone && Date.now() - mtimeMs < SILENT_MS) return;
  // Renaming first makes one of several waiters the breaker.
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => undefined);
  await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
