import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endLeftover, writePidFile, type PidRecord } from './pid-file.js';

describe('an engine left by an earlier run', () => {
  let folder: string;
  let path: string;
  let engine: ChildProcess;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pid-file-'));
    path = join(folder, 'p-r0.json');
    engine = spawn('sleep', ['4711'], { stdio: 'ignore' });
    await once(engine, 'spawn');
    await writePidFile(path, engine.pid ?? 0, 'sleep 4711');
  });

  afterEach(async () => {
    engine.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  async function change(edit: (record: PidRecord) => unknown): Promise<void> {
    await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')) as PidRecord)));
  }

  const isRunning = () => engine.exitCode === null && engine.signalCode === null;

  it('is ended when it is provably ours and its owner is gone', async () => {
    await change((record) => ({ ...record, owner: { pid: 2 ** 22 + 1, startedAt: 'long ago' } }));
    const exit = once(engine, 'exit');
    expect(await endLeftover(path, 5000)).toEqual({ kind: 'ended', pid: engine.pid });
    expect(await exit).toEqual([null, 'SIGTERM']);
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('is ended when it was our own', async () => {
    expect(await endLeftover(path, 5000)).toMatchObject({ kind: 'ended' });
  });

  it.each([
    ['another start time', (record: PidRecord) => ({ ...record, engine: { ...record.engine, startedAt: 'another' } })],
    ['another command line', (record: PidRecord) => ({ ...record, mark: '--port 1' })],
    ['no mark', (record: PidRecord) => ({ ...record, mark: '' })],
    ['a pid that is none', (record: PidRecord) => ({ ...record, engine: { ...record.engine, pid: -1 } })],
    ['half a file', () => 'half'],
  ])('is no engine of ours with %s, and is not touched', async (_, edit) => {
    await change(edit);
    expect(await endLeftover(path, 5000)).toEqual({ kind: 'none' });
    expect(isRunning()).toBe(true);
  });

  it('is left to an owner that lives', async () => {
    const owner = { pid: process.ppid, startedAt: '' };
    await writePidFile(join(folder, 'owner.json'), process.ppid, 'x');
    const other = JSON.parse(await readFile(join(folder, 'owner.json'), 'utf8')) as PidRecord;
    await change((record) => ({ ...record, owner: { ...owner, startedAt: other.engine.startedAt } }));
    expect(await endLeftover(path, 5000)).toEqual({ kind: 'owned', ownerPid: process.ppid });
    expect(isRunning()).toBe(true);
  });

  it('is nothing when there is no file', async () => {
    expect(await endLeftover(join(folder, 'none.json'), 5000)).toEqual({ kind: 'none' });
  });
});
