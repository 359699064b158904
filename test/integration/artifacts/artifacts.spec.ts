import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactKind } from '../../../src/contract/artifacts.js';
import {
  ArtifactsRepository,
  canonicalJson,
  ContentPacker,
  DeleteArtifact,
  DirectoryStore,
  KeepArtifact,
  ReadArtifact,
  type PackedContent,
} from '../../../src/modules/artifacts/index.js';
import { freshDatabase } from '../../support/stores.js';
import { makeTempDir } from '../../support/temp-dirs.js';

async function pack(kind: ArtifactKind, content: unknown): Promise<PackedContent> {
  const packer = new ContentPacker(kind);
  await packer.add(canonicalJson(content));
  return packer.finish();
}

/** Text that does not compress. */
const noise = (bytes: number): string => randomBytes(bytes / 2).toString('base64');
const bare = { tags: [], parent: null, metadata: {} };

describe('artifacts', () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let pool: pg.Pool;
  let directory: string;
  let now = 1_700_000_000_000;
  let inFiles: KeepArtifact;
  let inRows: KeepArtifact;
  let read: ReadArtifact;
  let remove: DeleteArtifact;

  beforeAll(async () => {
    database = await freshDatabase();
    pool = new pg.Pool({ connectionString: database.url });
    directory = await makeTempDir();
    const rows = new ArtifactsRepository(pool);
    const files = new DirectoryStore(join(directory, 'artifacts'));
    const clock = { now: () => now };
    inFiles = new KeepArtifact(rows, files, clock);
    inRows = new KeepArtifact(rows, null, clock);
    read = new ReadArtifact(rows, files);
    remove = new DeleteArtifact(rows, files);
  });

  afterAll(async () => {
    await pool.end();
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });

  async function filesNow(): Promise<string[]> {
    const found = await readdir(join(directory, 'artifacts'), { recursive: true }).catch(() => []);
    return found.filter((name) => name.includes('/'));
  }

  it('are kept once; tags are united, new metadata keys added, all else stays as it was', async () => {
    const content = await pack('plan', { steps: [1, 2] });
    const parent = (await pack('plan', 'before')).id;
    const first = await inRows.run(content, { tags: ['b', 'a', 'a'], parent, metadata: { by: 'me', n: 1 } });
    now += 5;
    const other = (await pack('plan', 'another')).id;
    const second = await inRows.run(content, {
      tags: ['c', 'a'],
      parent: other,
      metadata: { by: 'you', more: [null] },
    });
    expect(first).toEqual({
      id: content.id,
      kind: 'plan',
      digest: content.id,
      created_ms: now - 5,
      tags: ['a', 'b'],
      parent,
      metadata: { by: 'me', n: 1 },
    });
    expect(second).toEqual({ ...first, tags: ['a', 'b', 'c'], metadata: { by: 'me', n: 1, more: [null] } });
    const stored = await read.one(content.id);
    expect(stored).toEqual({ summary: second, content: Buffer.from('{"steps":[1,2]}') });
  });

  it('are kept once by many writers at the same moment, whatever order they come in', async () => {
    const contents = await Promise.all(Array.from({ length: 8 }, (_, n) => pack('trace', { n })));
    const writes = Array.from({ length: 200 }, (_, n) => {
      const content = contents[(n * 5) % contents.length]!;
      return (n % 2 === 0 ? inRows : inFiles).run(content, { ...bare, tags: [`writer:${n}`] });
    });
    await Promise.all(writes);
    const { items } = await read.page({ kind: 'trace', limit: 500 });
    expect(items).toHaveLength(8);
    expect(items.flatMap(({ tags }) => tags)).toHaveLength(200);
  });

  it('can not be their own parents, nor gather tags or metadata without end', async () => {
    const content = await pack('other', 'much');
    await expect(inRows.run(content, { ...bare, parent: content.id })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    const tags = (from: number) => Array.from({ length: 64 }, (_, n) => `t${from + n}`);
    for (const from of [0, 64, 128, 192]) await inRows.run(content, { ...bare, tags: tags(from) });
    await expect(inRows.run(content, { ...bare, tags: ['one more'] })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    const big = { text: 'x'.repeat(15_000) };
    const wide = await pack('other', 'wide');
    for (const key of ['a', 'b', 'c', 'd']) await inRows.run(wide, { ...bare, metadata: { [key]: big } });
    await expect(inRows.run(wide, { ...bare, metadata: { e: big } })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await expect(inRows.run(wide, { ...bare, metadata: { a: 1 } })).resolves.toMatchObject({ metadata: { a: big } });
  });

  it('lie in a file of their own when they are large, whole and for nobody else, and leave none behind', async () => {
    const text = noise(200_000);
    const content = await pack('logs', text);
    await Promise.all([inFiles.run(content, bare), inFiles.run(content, { ...bare, tags: ['again'] })]);
    await inFiles.run(content, { ...bare, tags: ['and again'] });
    const names = await filesNow();
    expect(names).toHaveLength(1);
    const file = join(directory, 'artifacts', names[0]!);
    expect((await stat(file)).mode & 0o077).toBe(0);
    const { rows } = await pool.query('SELECT content, content_key FROM artifacts WHERE id = $1', [content.id]);
    expect(rows).toEqual([{ content: null, content_key: names[0] }]);
    expect((await read.one(content.id)).content.toString('utf8')).toBe(JSON.stringify(text));
    await remove.run(content.id);
    expect(await filesNow()).toEqual([]);
    await expect(read.one(content.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are read wherever they lie, and missed with a word on what to do', async () => {
    const [inRow, inFile] = await Promise.all([pack('logs', noise(200_000)), pack('logs', noise(200_000))]);
    await inRows.run(inRow, bare);
    await inFiles.run(inFile, bare);
    const elsewhere = new ReadArtifact(new ArtifactsRepository(pool), new DirectoryStore(join(directory, 'none')));
    expect((await elsewhere.one(inRow.id)).content.length).toBeGreaterThan(100_000);
    await expect(elsewhere.one(inFile.id)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('artifacts.dir') as string,
    });
    expect(await elsewhere.content(inFile.id)).toBeNull();
  });

  it('hold any text of JSON, NUL included', async () => {
    const odd = { '\0': ['\u0000\u001f', '\u{1F680}', '\u2028', -0, 1e-7] };
    const content = await pack('other', odd);
    await inRows.run(content, bare);
    expect(JSON.parse((await read.one(content.id)).content.toString('utf8'))).toEqual({
      ...odd,
      '\0': [...odd['\0'].slice(0, 3), 0, 1e-7],
    });
  });

  it('are deleted once', async () => {
    const content = await pack('other', 'to go');
    await inRows.run(content, bare);
    await remove.run(content.id);
    await expect(remove.run(content.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const again = await inRows.run(content, { ...bare, tags: ['back'] });
    expect(again.tags).toEqual(['back']);
  });

  it('are listed newest first by any filter, page by page, each once', async () => {
    const parent = (await pack('plan', 'the parent')).id;
    const made: { id: string; ms: number; index: number }[] = [];
    for (let index = 0; index < 30; index++) {
      // Some in the same millisecond.
      now += index % 3 === 0 ? 10 : 0;
      const content = await pack('summary', { index });
      const tags = ['all', ...(index % 2 === 0 ? ['even'] : []), ...(index % 3 === 0 ? ['third'] : [])];
      await inRows.run(content, { tags, parent: index % 5 === 0 ? parent : null, metadata: {} });
      made.push({ id: content.id, ms: now, index });
    }
    const order = made.toSorted((a, b) => b.ms - a.ms || (a.id < b.id ? 1 : -1));
    const ids = async (query: Parameters<ReadArtifact['page']>[0]): Promise<string[]> => {
      const found: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await read.page({ ...query, ...(cursor !== undefined && { cursor }) });
        expect(page.items.length).toBeLessThanOrEqual(query.limit);
        found.push(...page.items.map(({ id }) => id));
        if (page.next_cursor === null) return found;
        cursor = page.next_cursor;
      }
    };
    const wanted = (is: (index: number) => boolean) => order.filter(({ index }) => is(index)).map(({ id }) => id);
    for (const limit of [1, 4, 500]) {
      expect(await ids({ limit, tag: ['all'] })).toEqual(wanted(() => true));
      expect(await ids({ limit, kind: 'summary' })).toEqual(wanted(() => true));
      expect(await ids({ limit, tag: ['even', 'third'] })).toEqual(wanted((index) => index % 6 === 0));
      expect(await ids({ limit, parent })).toEqual(wanted((index) => index % 5 === 0));
      const since = made[15]!.ms;
      expect(await ids({ limit, kind: 'summary', since })).toEqual(wanted((index) => made[index]!.ms >= since));
      expect(await ids({ limit, tag: ['even', 'nowhere'] })).toEqual([]);
    }
    await expect(read.page({ limit: 5, cursor: 'bm9uZQ' })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('page by an index', async () => {
    await pool.query('ANALYZE artifacts');
    const client = await pool.connect();
    try {
      await client.query('BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off');
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN SELECT id FROM artifacts WHERE (created_at, id) < (now(), 'sha256:f') ORDER BY created_at DESC, id DESC LIMIT 50`,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/Index (?:Only )?Scan using artifacts_created_at_id_idx/);
      expect(plan).not.toContain('Sort');
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });
});

describe('the directory of large contents', () => {
  it('takes no key that could lead out of it', async () => {
    const store = new DirectoryStore(await makeTempDir());
    for (const key of ['../x', '/etc/passwd', 'ab/../../x', 'ab', 'ab/', 'ab/c/d', 'AB/c', 'ab/\0', ''])
      for (const use of [store.get(key), store.remove(key), store.put(key, Buffer.of(1))])
        await expect(use).rejects.toThrow('not a key');
  });

  it('has an object whole or not at all', async () => {
    const directory = await makeTempDir();
    const store = new DirectoryStore(directory);
    expect(await store.get('ab/0')).toBeNull();
    await store.put('ab/0', Buffer.from('one'));
    expect((await store.get('ab/0'))?.toString()).toBe('one');
    expect(await readdir(join(directory, 'ab'))).toEqual(['0']);
    await store.remove('ab/0');
    await store.remove('ab/0');
    expect(await store.get('ab/0')).toBeNull();
  });
});
