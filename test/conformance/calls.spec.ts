import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookAtEngine } from '../../src/engines/engine-probe.js';
import { LlamacppAdapter } from '../../src/engines/llamacpp/llamacpp.adapter.js';
import { Secret } from '../../src/platform/config/secret.js';
import { llamacppCompletion } from './dialects/llamacpp.js';
import { FakeServer } from './fake-server.js';
import { Bench, completionOf, endpointAt, requestOf } from './run-adapter.js';

let server: FakeServer;

beforeAll(async () => {
  server = await FakeServer.start();
});

afterAll(async () => {
  await server.stop();
});

const json = (document: unknown, status = 200): void =>
  server.answers({ status, type: 'application/json', pieces: [JSON.stringify(document)] });
const signal = new AbortController().signal;

describe('llamacpp, what is no task', () => {
  let bench: Bench;
  let adapter: LlamacppAdapter;

  beforeEach(async () => {
    bench = new Bench((agent) => (adapter = new LlamacppAdapter(agent)));
    return () => bench.close();
  });

  it('counts the tokens of a text by POST /tokenize', async () => {
    json({ tokens: [198, 25, 1] });
    expect(await adapter.countTokens(endpointAt(server.url), undefined, 'a text', signal)).toBe(3);
    expect(server.asked).toMatchObject([{ path: '/tokenize', body: '{"content":"a text","add_special":true}' }]);
    json({ tokens: 'none' });
    await expect(adapter.countTokens(endpointAt(server.url), undefined, 't', signal)).rejects.toMatchObject({
      code: 'WORKER_RESET',
    });
    json({ error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }, 503);
    await expect(adapter.countTokens(endpointAt(server.url), undefined, 't', signal)).rejects.toMatchObject({
      code: 'REPLICA_EXHAUSTED',
    });
  });

  it('stops waiting when it is told to', async () => {
    server.answers({ after: 'stall' });
    const abort = new AbortController();
    const counting = adapter.countTokens(endpointAt(server.url), undefined, 't', abort.signal);
    await expect.poll(() => server.asked.length).toBe(1);
    abort.abort();
    await expect(counting).rejects.toMatchObject({ name: 'EngineError' });
    await server.untilHungUp();
  });

  it('erases the slot that worked for a session last, and no slot of another', async () => {
    const endpoint = endpointAt(server.url);
    const work = completionOf(llamacppCompletion.input);
    expect(await adapter.evictSession(endpoint, 'session-a', signal)).toBe(false);
    server.answers({ pieces: llamacppCompletion.stream({ texts: ['a'], tokensIn: 1, finish: 'stop' }) });
    await bench.run(endpoint, requestOf(work, { sessionId: 'session-a' }));
    json({ id_slot: 1, n_erased: 2 });
    expect(await adapter.evictSession(endpoint, 'session-b', signal)).toBe(false);
    json(
      { error: { code: 501, message: 'This server does not support slots action.', type: 'not_supported_error' } },
      501,
    );
    expect(await adapter.evictSession(endpoint, 'session-a', signal)).toBe(false);
    json({ id_slot: 1, n_erased: 2 });
    expect(await adapter.evictSession(endpoint, 'session-a', signal)).toBe(true);
    expect(server.asked).toMatchObject([{ method: 'POST', path: '/slots/1?action=erase' }]);
    expect(await adapter.evictSession(endpoint, 'session-a', signal)).toBe(false);
  });

  it('reads what the engine measures of itself', async () => {
    server.answers({
      type: 'text/plain; version=0.0.4',
      pieces: [
        '# HELP llamacpp:requests_processing Number of requests processing.\n# TYPE llamacpp:requests_processing gauge\n',
        'llamacpp:requests_processing 3\nllamacpp:requests_deferred 1\nllamacpp:kv_cache_usage_ratio 0.25\n',
      ],
    });
    expect(await adapter.metrics(endpointAt(server.url), signal)).toEqual({
      kvUsageRatio: 0.25,
      running: 3,
      waiting: 1,
    });
    expect(server.asked).toMatchObject([{ method: 'GET', path: '/metrics', body: '' }]);
  });
});

describe('looking whether an OpenAI-compatible server is fit', () => {
  it('asks for its models, with the key, below the version that the URL names', async () => {
    json({ object: 'list', data: [{ id: 'gpt-4o', object: 'model', created: 1_686_935_002, owned_by: 'openai' }] });
    const ready = { kind: 'ready', engineVersion: null, ctxMax: null, slots: null, modelName: 'gpt-4o' };
    expect(await lookAtEngine('openai', server.url, 1000, new Secret('sk-1'))).toEqual(ready);
    expect(await lookAtEngine('openai', `${server.url}/v1`, 1000)).toEqual(ready);
    expect(server.asked.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/v1/models', 'Bearer sk-1'],
      ['/v1/models', undefined],
    ]);
  });

  it.each([
    [401, { error: { message: 'Incorrect API key provided: sk-1' } }, /api_key_env/],
    [404, {}, /404/],
    [200, { data: null }, /no list of models/],
  ])('says why it is not: %i', async (status, document, detail) => {
    json(document, status);
    const look = await lookAtEngine('openai', server.url, 1000, new Secret('sk-1'));
    expect(look).toMatchObject({ kind: 'dead', detail: expect.stringMatching(detail) as string });
    expect(JSON.stringify(look)).not.toContain('sk-1');
  });

  it('does not read an answer that has no end', async () => {
    json({ data: 'x'.repeat(9 * 1024 * 1024) });
    const look = await lookAtEngine('openai', server.url, 10_000);
    expect(look).toMatchObject({ kind: 'dead', detail: expect.stringContaining('its answer has no end') as string });
  });
});
