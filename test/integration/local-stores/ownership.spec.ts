import { execFile } from 'node:child_process';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { identifyProcess } from '../../../src/platform/processes/process-identity.js';
import { makeTempDir } from '../../support/temp-dirs.js';
import { endOwners, type Kind, recall, remember, serverPid, startOwner } from './store-processes.js';

const PATIENCE = { timeout: 30_000, interval: 50 };

describe.each<Kind>(['postgres', 'redis'])('the local %s', (kind) => {
  let dataDir: string;

  beforeEach(async () => {
    dataDir = await makeTempDir();
  });

  afterEach(async () => {
    await endOwners();
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  it('has its data at the same address after its owner was killed and started again at once', async () => {
    const first = await startOwner(kind, dataDir);
    await remember(first.url, 'before the crash');
    await first.kill9();
    const second = await startOwner(kind, dataDir);
    expect(second.attached).toBe(false);
    expect(second.url).toBe(first.url);
    expect(await recall(second.url)).toEqual(['before the crash']);
    await second.stop();
  });

  it('does not run on when its owner was killed', async () => {
    const owner = await startOwner(kind, dataDir);
    const pid = await serverPid(kind, dataDir);
    await owner.kill9();
    await expect.poll(() => identifyProcess(pid), PATIENCE).toBeUndefined();
  });

  it('is shared by a second process, which takes over when the first ends', async () => {
    const first = await startOwner(kind, dataDir);
    const second = await startOwner(kind, dataDir);
    expect(second).toMatchObject({ url: first.url, attached: true });
    await remember(second.url, 'by the second');
    await first.stop();
    await expect.poll(() => recall(second.url).catch(() => 'not yet'), PATIENCE).toEqual(['by the second']);
    await second.stop();
    await expect(recall(second.url)).rejects.toThrow(/ECONNREFUSED|closed/);
  });

  it('goes to one owner when two processes start at the same moment', async () => {
    const both = await Promise.all([startOwner(kind, dataDir), startOwner(kind, dataDir)]);
    expect(both.filter((owner) => owner.attached)).toHaveLength(1);
    await Promise.all(both.map((owner) => owner.stop()));
  });

  it('comes back at the same address when it dies under its owner', async () => {
    const owner = await startOwner(kind, dataDir);
    await remember(owner.url, 'kept');
    process.kill(await serverPid(kind, dataDir), 'SIGKILL');
    await expect.poll(() => recall(owner.url).catch(() => 'not yet'), PATIENCE).toEqual(['kept']);
    await owner.stop();
  });

  it('is never started beside a server that lost its guardian only, and stays at its address', async () => {
    const owner = await startOwner(kind, dataDir);
    await remember(owner.url, 'kept');
    const first = await serverPid(kind, dataDir);
    const { stdout: guardian } = await promisify(execFile)('ps', ['-o', 'ppid=', '-p', String(first)]);
    process.kill(Number(guardian), 'SIGKILL');
    const isAnother = async (): Promise<boolean> => ![0, first].includes(await serverPid(kind, dataDir));
    await expect.poll(() => isAnother().catch(() => false), PATIENCE).toBe(true);
    expect(await identifyProcess(first)).toBeUndefined();
    await expect.poll(() => recall(owner.url).catch(() => 'not yet'), PATIENCE).toEqual(['kept']);
    await owner.stop();
  });

  it('works below a directory that nobody else may enter', async () => {
    const secluded = join(dataDir, 'secluded');
    await mkdir(secluded, { mode: 0o700 });
    await chmod(secluded, 0o700);
    const owner = await startOwner(kind, join(secluded, 'data'));
    await remember(owner.url, 'in private');
    expect(await recall(owner.url)).toEqual(['in private']);
    await owner.stop();
  });
});
