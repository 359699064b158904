import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLine, identify, type ProcessIdentity } from './process-identity.js';

/** What we write down of an engine, so that the next start of ours can tell whether it is still there and really ours. */
export interface PidRecord {
  readonly engine: ProcessIdentity;
  /** The orchestratord that started it. */
  readonly owner: ProcessIdentity;
  /** A piece of its command line. */
  readonly mark: string;
}

export type Leftover =
  | { readonly kind: 'none' }
  | { readonly kind: 'ended'; readonly pid: number }
  | { readonly kind: 'owned'; readonly ownerPid: number };

const POLL_MS = 50;

export async function writePidFile(path: string, pid: number, mark: string): Promise<void> {
  const [engine, owner] = await Promise.all([identify(pid), identify(process.pid)]);
  if (engine === null || owner === null) return;
  const record: PidRecord = { engine, owner, mark };
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, JSON.stringify(record, null, 2));
  await rename(unfinished, path);
}

export async function removePidFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/**
 * Ends an engine that an earlier, dead orchestratord left. A process is killed only when pid, start time and command line all are those written
 * down; an engine whose owner still lives is left alone and reported as `owned`.
 */
export async function endLeftover(path: string, graceMs: number): Promise<Leftover> {
  const record = await readPidFile(path);
  if (record === null || !(await isStillThere(record.engine))) {
    await removePidFile(path);
    return { kind: 'none' };
  }
  if (!(await commandLine(record.engine.pid)).includes(record.mark)) {
    await removePidFile(path);
    return { kind: 'none' };
  }
  if (record.owner.pid !== process.pid && (await isStillThere(record.owner)))
    return { kind: 'owned', ownerPid: record.owner.pid };
  await end(record.engine, graceMs);
  await removePidFile(path);
  return { kind: 'ended', pid: record.engine.pid };
}

async function end(engine: ProcessIdentity, graceMs: number): Promise<void> {
  signal(engine.pid, 'SIGTERM');
  const deadline = performance.now() + graceMs;
  while (await isStillThere(engine)) {
    if (performance.now() > deadline) {
      signal(engine.pid, 'SIGKILL');
      return;
    }
    await delay(POLL_MS);
  }
}

async function isStillThere(expected: ProcessIdentity): Promise<boolean> {
  const found = await identify(expected.pid);
  return found !== null && found.started === expected.started;
}

async function readPidFile(path: string): Promise<PidRecord | null> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as Partial<PidRecord>;
    return isIdentity(record.engine) &&
      isIdentity(record.owner) &&
      typeof record.mark === 'string' &&
      record.mark !== ''
      ? { engine: record.engine, owner: record.owner, mark: record.mark }
      : null;
  } catch {
    return null;
  }
}

function isIdentity(value: ProcessIdentity | undefined): value is ProcessIdentity {
  return Number.isSafeInteger(value?.pid) && Number(value?.pid) > 1 && typeof value?.started === 'string';
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone meanwhile: what was wanted.
  }
}
