import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, Deployment } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text, 'utf8').digest('hex')}`;

interface Page {
  readonly items: { readonly id: string }[];
  readonly next_cursor: string | null;
}

describe('/v2/artifacts', () => {
  let all: Deployment;
  let one: RunningOrchestrator;
  let two: RunningOrchestrator;

  beforeAll(async () => {
    all = await Deployment.create({ engines: [] });
    one = await all.start(['api']);
    two = await all.start(['api']);
  });

  afterAll(() => all.drop());

  const post = (body: unknown, at = one) => call(`${at.url}/v2/artifacts`, 'POST', body);

  it('names a document by the canonical JSON of kind and content, whatever its spelling', async () => {
    const first = await post(
      '{"kind":"plan","content":{"b":[1.0,2e0],"a":"\\u00e9"},"tags":["x"],"metadata":{"by":"me"}}',
    );
    const id = sha256('{"content":{"a":"é","b":[1,2]},"kind":"plan"}');
    expect(first).toMatchObject({ status: 201, body: { id, digest: id, kind: 'plan', tags: ['x'], parent: null } });
    expect(first.headers.get('location')).toBe(`/v2/artifacts/${id}`);
    const second = await post(
      { kind: 'plan', content: { a: 'é', b: [1, 2] }, tags: ['y'], metadata: { by: 'you' } },
      two,
    );
    expect(second).toMatchObject({
      status: 201,
      body: { id, tags: ['x', 'y'], metadata: { by: 'me' }, content: { a: 'é', b: [1, 2] } },
    });
    const read = await call(`${one.url}/v2/artifacts/${encodeURIComponent(id)}`);
    expect(read).toMatchObject({ status: 200, body: second.body as object });
    expect((await post({ kind: 'diff', content: { a: 'é', b: [1, 2] } })).body).not.toMatchObject({ id });
    expect((await call(`${two.url}/v2/artifacts/${id}`, 'DELETE')).status).toBe(204);
    expect((await call(`${one.url}/v2/artifacts/${id}`)).status).toBe(404);
  });

  it('lists without contents, by several tags at once, page by page', async () => {
    const parent = ((await post({ kind: 'plan', content: 'parent' })).body as { id: string }).id;
    for (let n = 0; n < 5; n++)
      await post({ kind: 'logs', content: n, tags: ['t', ...(n % 2 === 0 ? ['e v&n'] : [])], parent });
    const list = async (query: string) => (await call(`${two.url}/v2/artifacts?${query}`)).body as Page;
    const both = await list('tag=t&tag=e%20v%26n');
    expect(both.items).toHaveLength(3);
    for (const item of both.items) expect(Object.keys(item)).not.toContain('content');
    const first = await list(`parent=${parent}&kind=logs&limit=3`);
    const second = await list(`parent=${parent}&kind=logs&limit=3&cursor=${first.next_cursor}`);
    expect([first.items.length, second.items.length, second.next_cursor]).toEqual([3, 2, null]);
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(5);
    expect((await list('tag=t&since=2100-01-01T00:00:00Z')).items).toEqual([]);
    expect((await list('tag=t&since=-100000-01-01T00:00:00Z')).items).toHaveLength(5);
  });

  it.each([
    ['no kind', { content: 1 }, 'kind'],
    ['no content', { kind: 'plan' }, 'content'],
    ['an unknown kind', { kind: 'poem', content: 1 }, 'kind'],
    ['an unknown field', { kind: 'plan', content: 1, id: 'x' }, 'id'],
    ['a parent that is no id', { kind: 'plan', content: 1, parent: 'sha256:12' }, 'parent'],
    ['an empty tag', { kind: 'plan', content: 1, tags: [''] }, 'tags.0'],
    ['a tag with a line break', { kind: 'plan', content: 1, tags: ['a', 'b\nc'] }, 'tags.1'],
    ['too many tags', { kind: 'plan', content: 1, tags: Array.from({ length: 65 }, String) }, 'tags'],
    ['much metadata', { kind: 'plan', content: 1, metadata: { a: 'x'.repeat(20_000) } }, 'metadata'],
    ['metadata that is a list', { kind: 'plan', content: 1, metadata: [] }, 'metadata'],
    ['a number beyond all numbers', '{"kind":"plan","content":{"a":[1,1e999]}}', 'content.a.1'],
    ['a NUL character', '{"kind":"plan","content":{"a":"\\u0000"}}', 'content.a'],
    ['half a surrogate pair', '{"kind":"plan","content":["\\ud800"]}', 'content.0'],
    ['a forbidden key', '{"kind":"plan","content":{"__proto__":1}}', 'content.__proto__'],
  ])('refuses %s and names the field', async (_, body, field) => {
    expect(await post(body)).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS', details: [{ field }] } });
  });

  it('refuses nesting without end, large bodies, and questions that make no sense', async () => {
    const deep = `{"kind":"plan","content":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect((await post(deep)).status).toBe(400);
    expect((await post({ kind: 'plan', content: 'x'.repeat(5_000_000) })).status).toBe(413);
    for (const path of ['sha256:zz', '%00', '..%2f..%2fetc', `SHA256:${'0'.repeat(64)}`]) {
      for (const method of ['GET', 'DELETE'])
        expect(await call(`${one.url}/v2/artifacts/${path}`, method)).toMatchObject({ status: 400 });
    }
    for (const query of [
      'tag=',
      'tag=%00',
      'tag=a&tag=%00',
      'kind=poem',
      'parent=1',
      'cursor=1',
      'limit=0',
      'since=x',
      'since=9999999999999999',
      'tags=a',
    ])
      expect([query, (await call(`${one.url}/v2/artifacts?${query}`)).status]).toEqual([query, 400]);
    const none = `sha256:${'0'.repeat(64)}`;
    for (const method of ['GET', 'DELETE'])
      expect(await call(`${one.url}/v2/artifacts/${none}`, method)).toMatchObject({ status: 404 });
  });
});
