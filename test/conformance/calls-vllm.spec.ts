import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookAtEngine } from '../../src/engines/engine-probe.js';
import { VllmAdapter } from '../../src/engines/vllm/vllm.adapter.js';
import { Secret } from '../../src/platform/config/secret.js';
import { FakeServer } from './fake-server.js';
import { Bench, completionOf, endpointAt, requestOf } from './run-adapter.js';

let server: FakeServer;

beforeAll(async () => {
  server = await FakeServer.start();
});

afterAll(async () => {
  await server.stop();
});

const signal = new AbortController().signal;

describe('vllm, what is no task', () => {
  let bench: Bench;
  let adapter: VllmAdapter;

  beforeEach(async () => {
    server.documents = {};
    bench = new Bench((agent) => (adapter = new VllmAdapter(agent)));
    return () => bench.close();
  });

  it.each(['', '/v1'])('counts the tokens of a text by POST /tokenize at the root of %j', async (base) => {
    const tokens = { count: 3, max_model_len: 4096, tokens: [9707, 11, 0], token_strs: null };
    server.answers({ type: 'application/json', pieces: [JSON.stringify(tokens)] });
    expect(await adapter.countTokens(endpointAt(server.url + base), 'a-model', 'a text', signal)).toBe(3);
    expect(server.asked).toMatchObject([{ path: '/tokenize', body: '{"model":"a-model","prompt":"a text"}' }]);
    server.answers({ type: 'application/json', pieces: ['{"tokens":[]}'] });
    await expect(adapter.countTokens(endpointAt(server.url), 'a-model', 't', signal)).rejects.toMatchObject({
      code: 'WORKER_RESET',
    });
  });

  it('reads what its engines measure: the mean of shares, the sum of counts', async () => {
    server.answers({
      type: 'text/plain; version=0.0.4',
      pieces: [
        '# TYPE vllm:num_requests_running gauge\n',
        'vllm:num_requests_running{engine="0",model_name="a-model"} 3.0\n',
        'vllm:num_requests_running{engine="1",model_name="a-model"} 1.0\n',
        'vllm:num_requests_waiting{engine="0",model_name="a-model"} 2.0\n',
        'vllm:kv_cache_usage_perc{engine="0",model_name="a-model"} 0.25\n',
        'vllm:kv_cache_usage_perc{engine="1",model_name="a-model"} 0.75\n',
      ],
    });
    expect(await adapter.metrics(endpointAt(server.url), signal)).toEqual({
      kvUsageRatio: 0.5,
      running: 4,
      waiting: 2,
    });
    server.answers({ type: 'text/plain', pieces: ['vllm:gpu_cache_usage_perc{model_name="m"} 0.125\n'] });
    expect(await adapter.metrics(endpointAt(`${server.url}/v1`), signal)).toEqual({
      kvUsageRatio: 0.125,
      running: null,
      waiting: null,
    });
    expect(server.asked).toMatchObject([{ method: 'GET', path: '/metrics' }]);
  });

  it('salts the prefix cache of a task that must not build on earlier prompts', async () => {
    server.answers({ pieces: [] });
    await bench.run(endpointAt(server.url), requestOf(completionOf({ prompt: 'Hi' }, { cache: 'cold' })));
    expect(JSON.parse(server.asked[0]?.body ?? '')).toMatchObject({ cache_salt: 'a-task' });
  });
});

describe('looking whether a vLLM server is fit', () => {
  const models = {
    object: 'list',
    data: [{ id: 'Qwen/Qwen3-8B', object: 'model', owned_by: 'vllm', root: 'Qwen/Qwen3-8B', max_model_len: 40_960 }],
  };

  it.each(['', '/v1'])('asks for its health, version and model, with the key, at %j', async (base) => {
    server.answers({ status: 500 });
    server.documents = { '/health': '', '/version': { version: '0.11.0' }, '/v1/models': models };
    expect(await lookAtEngine('vllm', server.url + base, 1000, new Secret('sk-1'))).toEqual({
      kind: 'ready',
      engineVersion: '0.11.0',
      ctxMax: 40_960,
      slots: null,
      modelName: 'Qwen/Qwen3-8B',
    });
    expect(server.asked).toEqual([]);
  });

  it('says why it is not', async () => {
    server.documents = { '/v1/models': models };
    server.answers({ status: 503 });
    expect(await lookAtEngine('vllm', server.url, 1000)).toMatchObject({
      kind: 'dead',
      detail: expect.stringContaining('/health answered 503') as string,
    });
    server.documents = { '/health': '' };
    server.answers({ status: 401, pieces: ['{"error":"Unauthorized"}'] });
    expect(await lookAtEngine('vllm', server.url, 1000)).toMatchObject({
      kind: 'dead',
      detail: expect.stringContaining('api_key_env') as string,
    });
  });
});
