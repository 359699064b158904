import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHandoff, removeHandoff, writeHandoff } from './handoff.js';
import { HandoffFolder, type BadHandoff } from './handoff-folder.js';

const handoff = { engine: 'llamacpp' as const, url: 'http://127.0.0.1:1', pool_id: 'p', replica_id: 'r', slots: 1 };

describe('a folder of handoffs', () => {
  let directory: string;
  let bad: BadHandoff[];
  let folder: HandoffFolder;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'handoffs-'));
    bad = [];
    folder = new HandoffFolder(directory, (found) => bad.push(found));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  const put = (name: string, content: unknown) => writeFile(join(directory, name), JSON.stringify(content));
  const urls = async () => (await folder.read()).map(({ url }) => url);

  it('gives what was written, until it is removed', async () => {
    await writeHandoff(directory, handoff);
    expect(await folder.read()).toEqual([handoff]);
    await removeHandoff(directory, 'p', 'r');
    expect(await folder.read()).toEqual([]);
    expect(bad).toEqual([]);
  });

  it('goes by the latest of several files for one replica, whatever their names', async () => {
    await put('a.json', { ...handoff, url: 'http://127.0.0.1:1' });
    await put('b.json', { ...handoff, url: 'http://127.0.0.1:2' });
    await utimes(join(directory, 'a.json'), 2000, 2000);
    await utimes(join(directory, 'b.json'), 1000, 1000);
    expect(await urls()).toEqual(['http://127.0.0.1:1']);
    await utimes(join(directory, 'b.json'), 3000, 3000);
    expect(await urls()).toEqual(['http://127.0.0.1:2']);
  });

  it('tells of a bad file once in each of its states, and keeps to what it said before', async () => {
    await put('a.json', handoff);
    expect(await urls()).toHaveLength(1);
    await writeFile(join(directory, 'a.json'), '{"engine":');
    await Promise.all([folder.read(), put('b.txt', 'no handoff'), put('.c.json', 'neither')]);
    expect(await urls()).toHaveLength(1);
    expect(bad).toEqual([{ file: 'a.json', problem: 'it is no whole JSON' }]);
    await writeFile(join(directory, 'a.json'), '{"engine": "llamacpp"}');
    await urls();
    expect(bad).toHaveLength(2);
    await writeFile(join(directory, 'a.json'), ' '.repeat(70_000));
    expect(await urls()).toEqual([]);
    expect(bad[2]).toEqual({ file: 'a.json', problem: 'it is too large' });
  });
});

describe('a handoff', () => {
  it('may hold fields that we do not know, and lack those that we can do without', () => {
    expect(readHandoff(JSON.stringify({ ...handoff, url: 'http://127.0.0.1:1/', flavour: 'new' }))).toEqual({
      kind: 'read',
      handoff,
    });
  });

  it.each([
    ['', 'no whole JSON'],
    ['[]', 'all of it'],
    [JSON.stringify({ ...handoff, pool_id: '../x', slots: 0 }), 'pool_id, slots'],
    [JSON.stringify({ ...handoff, url: 'http://me:secret@h' }), 'user or password'],
  ])('that is not whole is told of without what it holds: %s', (text, problem) => {
    const read = readHandoff(text);
    expect(read).toMatchObject({ kind: 'invalid', problem: expect.stringContaining(problem) as string });
    expect(JSON.stringify(read)).not.toContain('secret');
  });
});
