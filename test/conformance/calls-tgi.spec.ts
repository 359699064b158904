import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookAtEngine } from '../../src/engines/engine-probe.js';
import { TgiAdapter } from '../../src/engines/tgi/tgi.adapter.js';
import { tgiChat, tgiGenerate } from './dialects/tgi.js';
import { FakeServer } from './fake-server.js';
import { Bench, completionOf, endpointAt, requestOf } from './run-adapter.js';

let server: FakeServer;

beforeAll(async () => {
  server = await FakeServer.start();
});

afterAll(async () => {
  await server.stop();
});

beforeEach(() => {
  server.documents = {};
});

const signal = new AbortController().signal;

describe('tgi', () => {
  let bench: Bench;
  let adapter: TgiAdapter;

  beforeEach(() => {
    bench = new Bench((agent) => (adapter = new TgiAdapter(agent)));
    return () => bench.close();
  });

  it.each([tgiGenerate, tgiChat])('keeps the stop text out of the output of $name', async (dialect) => {
    server.answers({
      pieces: dialect.stream({ texts: ['one', ' two\n', '\nUs', 'er:'], tokensIn: 3, finish: 'stop' }),
    });
    const work = completionOf(dialect.input, { sampling: { stop: ['\n\nUser:'] } });
    const { tokens, ends } = await bench.run(endpointAt(server.url), requestOf(work));
    expect(tokens.join('')).toBe('one two');
    expect(ends).toEqual([{ tokensIn: 3, tokensOut: 4, finishReason: 'stop' }]);
  });

  it('lets another replica do what an overloaded one refuses inside its stream', async () => {
    server.answers({ pieces: ['data:{"error":"Model is overloaded","error_type":"overloaded"}\n\n'] });
    const { errors } = await bench.run(endpointAt(server.url), requestOf(completionOf({ prompt: 'Hi' })));
    expect(errors).toMatchObject([{ code: 'WORKER_RESET', message: 'Model is overloaded', afterFirstByte: false }]);
  });

  it('does not blame the request for a generation that failed', async () => {
    const error = { error: 'Request failed during generation: CUDA out of memory', error_type: 'generation' };
    server.answers({ status: 424, type: 'application/json', pieces: [JSON.stringify(error)] });
    const { errors } = await bench.run(endpointAt(server.url), requestOf(completionOf({ prompt: 'Hi' })));
    expect(errors).toMatchObject([{ code: 'REPLICA_EXHAUSTED' }]);
  });

  it('counts the tokens of a text by POST /tokenize, of either server', async () => {
    const tokens = [
      { id: 1, text: 'a', start: 0, stop: 1 },
      { id: 2, text: ' b', start: 1, stop: 3 },
    ];
    server.answers({ type: 'application/json', pieces: [JSON.stringify(tokens)] });
    expect(await adapter.countTokens(endpointAt(server.url), undefined, 'a b', signal)).toBe(2);
    expect(server.asked).toMatchObject([{ path: '/tokenize', body: '{"inputs":"a b"}' }]);
    server.answers({ type: 'application/json', pieces: [JSON.stringify([tokens])] });
    expect(await adapter.countTokens(endpointAt(server.url), undefined, 'a b', signal)).toBe(2);
    server.answers({ type: 'application/json', pieces: ['{}'] });
    await expect(adapter.countTokens(endpointAt(server.url), undefined, 't', signal)).rejects.toMatchObject({
      code: 'WORKER_RESET',
    });
  });

  it('reads what the engine measures of itself', async () => {
    server.answers({
      type: 'text/plain',
      pieces: ['# TYPE tgi_queue_size gauge\ntgi_queue_size 2\n\ntgi_batch_current_size 5\n'],
    });
    expect(await adapter.metrics(endpointAt(server.url), signal)).toEqual({
      kvUsageRatio: null,
      running: 5,
      waiting: 2,
    });
  });
});

describe('looking whether a TGI server is fit', () => {
  it('asks for its health and what it was started with', async () => {
    const info = {
      model_id: 'org/model',
      max_concurrent_requests: 128,
      max_input_tokens: 4095,
      max_total_tokens: 4096,
      router: 'text-generation-router',
      version: '3.3.6',
    };
    server.answers({ status: 500 });
    server.documents = { '/health': '', '/info': info };
    const ready = { kind: 'ready', engineVersion: '3.3.6', ctxMax: 4096, slots: 128, modelName: 'org/model' };
    expect(await lookAtEngine('tgi', server.url, 1000)).toEqual(ready);
    const embedder = { model_id: 'org/bge', max_concurrent_requests: 512, max_input_length: 512, version: '1.8.2' };
    server.documents = { '/health': '', '/info': embedder };
    expect(await lookAtEngine('tgi', server.url, 1000)).toMatchObject({ ctxMax: 512, slots: 512 });
    expect(server.asked).toEqual([]);
  });

  it('says why it is not', async () => {
    server.answers({
      status: 503,
      type: 'application/json',
      pieces: ['{"error":"unhealthy","error_type":"healthcheck"}'],
    });
    expect(await lookAtEngine('tgi', server.url, 1000)).toMatchObject({
      kind: 'dead',
      detail: expect.stringContaining('/health answered 503') as string,
    });
  });
});
