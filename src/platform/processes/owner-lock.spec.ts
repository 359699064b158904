import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { claimOwnership } from './owner-lock.js';

describe('claiming a directory', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'owner-lock-'));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it('has one winner among many who find the lock of a dead process', async () => {
    await writeFile(join(directory, 'owner.7'), JSON.stringify({ pid: process.pid, startedAt: 'another life' }));
    const claims = await Promise.all(Array.from({ length: 20 }, () => claimOwnership(directory)));
    expect(claims.filter((claim) => claim.kind === 'owner')).toHaveLength(1);
    expect(await readdir(directory)).toEqual(['owner.8']);
  });

  it('names the live process that holds it', async () => {
    await claimOwnership(directory);
    expect(await claimOwnership(directory)).toMatchObject({ kind: 'held', by: { pid: process.pid } });
  });

  it('is free again after a release and after an unreadable lock', async () => {
    const claim = await claimOwnership(directory);
    if (claim.kind === 'owner') await claim.release();
    expect(await readdir(directory)).toEqual([]);
    await writeFile(join(directory, 'owner.3'), '');
    expect(await claimOwnership(directory)).toMatchObject({ kind: 'owner' });
  });
});
