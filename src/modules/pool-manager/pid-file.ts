import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  commandLineOf,
  identifyProcess,
  isRunning,
  type ProcessIdentity,
} from '../../platform/processes/process-identity.js';

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
  const [engine, owner] = await Promise.all([identifyProcess(pid), identifyProcess(process.pid)]);
  if (engine === undefined || owner === undefined) return;
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
  if (record === null || !(await isRunning(record.engine))) {
    await removePidFile(path);
    return { kind: 'none' };
  }
  if ((await commandLineOf(record.engine.pid))?.includes(record.mark) !== true) {
    await removePidFile(path);
    return { kind: 'none' };
  }
  if (record.owner.pid !== process.pid && (await isRunning(record.owner)))
    return { kind: 'owned', ownerPid: record.owner.pid };
  await end(record.engine, graceMs);
  await removePidFile(path);
  return { kind: 'ended', pid: record.engine.pid };
}

async function end(engine: ProcessIdentity, graceMs: number): Promise<void> {
  signal(engine.pid, 'SIGTERM');
  const deadline = performance.now() + graceMs;
  while (await isRunning(engine)) {
    if (performance.now() > deadline) {
      signal(engine.pid, 'SIGKILL');
      return;
    }
    await delay(POLL_MS);
  }
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
  return Number.isSafeInteger(value?.pid) && Number(value?.pid) > 1 && typeof value?.startedAt === 'string';
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone meanwhile: what was wanted.
  }
}
