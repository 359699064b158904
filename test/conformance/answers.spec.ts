import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerDialect } from './dialect.js';
import { llamacppEmbedding, llamacppRerank } from './dialects/llamacpp.js';
import { openAiEmbedding } from './dialects/openai.js';
import { tgiEmbedding } from './dialects/tgi.js';
import { vllmEmbedding, vllmRerank } from './dialects/vllm.js';
import { inThread } from '../support/across-a-line.js';
import { FakeServer } from './fake-server.js';
import { Bench, cutAt, endpointAt, requestOf } from './run-adapter.js';

const dialects: readonly AnswerDialect[] = [
  llamacppEmbedding,
  llamacppRerank,
  openAiEmbedding,
  vllmEmbedding,
  vllmRerank,
  tgiEmbedding,
  inThread(llamacppEmbedding),
  inThread(vllmRerank),
];

describe.each(dialects)('$name', (dialect) => {
  let server: FakeServer;
  let bench: Bench;

  beforeAll(async () => {
    server = await FakeServer.start();
    bench = new Bench((agent) => dialect.adapter(agent));
  });

  afterAll(async () => {
    await bench.close();
    await server.stop();
  });

  const json = (pieces: readonly (string | Buffer)[], status = 200) =>
    server.answers({ status, type: 'application/json', pieces });
  const run = (change = {}) => bench.run(endpointAt(server.url, change), requestOf(dialect.work));

  it('asks the documented endpoint', async () => {
    json([dialect.answer]);
    await run();
    expect(server.asked).toMatchObject([{ method: 'POST', path: dialect.path }]);
    expect(JSON.parse(server.asked[0]?.body ?? '')).toMatchObject(dialect.body);
  });

  it('gives result and usage, wherever the answer is split', async () => {
    const bytes = Buffer.from(dialect.answer);
    for (let at = 0; at < bytes.length; at += 7) {
      json(cutAt(bytes, [at]));
      const { ends, errors, tokens } = await run();
      expect([tokens, errors, ends]).toEqual([[], [], [dialect.usage]]);
    }
  });

  it.each(Object.keys(dialect.unusable))('refuses an answer where %s', async (what) => {
    json([dialect.unusable[what] ?? '']);
    expect(await run()).toMatchObject({ ends: [], errors: [{ code: 'WORKER_RESET', afterFirstByte: true }] });
  });

  it('refuses what is no JSON without repeating it', async () => {
    json(['secret words']);
    expect((await run()).errors).toMatchObject([{ message: "The engine sent an answer that can't be used: no JSON." }]);
  });

  it.each([
    [400, 'INVALID_PARAMS'],
    [501, 'INVALID_PARAMS'],
    [429, 'REPLICA_EXHAUSTED'],
    [500, 'REPLICA_EXHAUSTED'],
  ])('takes %i for %s, with the reason the engine gave', async (status, code) => {
    json([dialect.errorBody(status, 'not today')], status);
    expect((await run()).errors).toMatchObject([{ code, message: expect.stringContaining('not today') as string }]);
  });

  it('is lost when the connection breaks or stays silent', async () => {
    server.answers({ pieces: [dialect.answer.slice(0, 9)], after: 'cut' });
    expect((await run()).errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: true }]);
    server.answers({ pieces: [dialect.answer.slice(0, 9)], after: 'stall' });
    const { errors } = await run({ timeouts: { connectMs: 1000, idleMs: 50, wallMs: 60_000 } });
    expect(errors).toMatchObject([{ code: 'DECODE_TIMEOUT' }]);
    await server.untilHungUp();
  });

  it('is canceled by closing the connection', async () => {
    const abort = new AbortController();
    server.answers({ pieces: [dialect.answer.slice(0, 9)], after: 'stall' });
    const { sink } = bench.submit(endpointAt(server.url), requestOf(dialect.work), abort.signal);
    await expect.poll(() => server.asked.length).toBe(1);
    abort.abort();
    await server.untilHungUp();
    expect(sink.calls).toBe(0);
  });
});
