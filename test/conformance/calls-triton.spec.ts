import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookAtEngine } from '../../src/engines/engine-probe.js';
import { TritonAdapter } from '../../src/engines/triton/triton.adapter.js';
import { event } from './dialect.js';
import { tensorRtModel, tritonGenerate } from './dialects/triton.js';
import { FakeServer } from './fake-server.js';
import { Bench, completionOf, endpointAt, requestOf } from './run-adapter.js';

let server: FakeServer;
let bench: Bench;

beforeAll(async () => {
  server = await FakeServer.start();
});

afterAll(async () => {
  await server.stop();
});

beforeEach(() => {
  server.documents = { '/v2/models/a-model': tensorRtModel };
  bench = new Bench((agent) => new TritonAdapter(agent));
  return () => bench.close();
});

const run = (sampling = {}, maxTokens = 7) =>
  bench.run(endpointAt(server.url), requestOf(completionOf({ prompt: 'Hi' }, { maxTokens, sampling })));

/** As TensorRT-LLM's ensemble answers: https://github.com/triton-inference-server/tensorrtllm_backend#using-the-generate-endpoint */
const response = (text: string): string =>
  event({ model_name: 'ensemble', model_version: '1', sequence_end: false, sequence_id: 0, text_output: text });

describe('triton with TensorRT-LLM, by HTTP', () => {
  it('has an input for each option', async () => {
    server.answers({ pieces: [response('a')] });
    await run({ temperature: 0, repeat_penalty: 1.1, stop: ['END'] });
    expect(JSON.parse(server.asked[0]?.body ?? '')).toEqual({
      id: 'a-task',
      text_input: 'Hi',
      stream: true,
      max_tokens: 7,
      top_k: 1,
      repetition_penalty: 1.1,
      stop_words: ['END'],
    });
  });

  it('counts its responses, for it does not, and keeps the stop text out', async () => {
    server.answers({ pieces: ['one ', 'two', 'E', 'ND'].map(response) });
    const { tokens, ends } = await run({ stop: ['END'] });
    expect(tokens.join('')).toBe('one two');
    expect(ends).toEqual([{ tokensIn: 0, tokensOut: 4, finishReason: 'stop' }]);
    server.answers({ pieces: ['a', 'b'].map(response) });
    expect((await run({}, 2)).ends).toMatchObject([{ finishReason: 'length' }]);
  });

  it('is not asked for an option that the model has no input for', async () => {
    server.answers({ pieces: [response('a')] });
    expect((await run({ frequency_penalty: 1 })).errors).toMatchObject([
      { code: 'INVALID_PARAMS', message: expect.stringContaining('frequency_penalty') as string },
    ]);
    expect(server.asked).toEqual([]);
  });

  it('is refused with a model that takes no prompts, or is none', async () => {
    server.documents = { '/v2/models/a-model': { ...tensorRtModel, inputs: [] } };
    expect((await run()).errors).toMatchObject([{ message: expect.stringContaining('text_input') as string }]);
    server.documents = { '/v2/models/a-model': [] };
    expect((await run()).errors).toMatchObject([
      { code: 'WORKER_RESET', message: expect.stringContaining('metadata') as string },
    ]);
    server.documents = {};
    server.answers({ status: 404, type: 'application/json', pieces: [tritonGenerate.errorBody(404, 'unknown model')] });
    expect((await run()).errors).toMatchObject([
      { code: 'INVALID_PARAMS', message: expect.stringContaining('unknown model') as string },
    ]);
  });
});

describe('looking whether a Triton server is fit, by HTTP', () => {
  it('asks whether it is ready, and its version', async () => {
    server.documents = { '/v2/health/ready': '', '/v2': { name: 'triton', version: '2.60.0', extensions: [] } };
    expect(await lookAtEngine('triton', server.url, 1000)).toMatchObject({ kind: 'ready', engineVersion: '2.60.0' });
    server.documents = {};
    server.answers({ status: 503 });
    expect(await lookAtEngine('triton', server.url, 1000)).toMatchObject({ kind: 'loading' });
    server.answers({ status: 401 });
    expect(await lookAtEngine('triton', server.url, 1000)).toMatchObject({
      kind: 'dead',
      detail: expect.stringContaining('answered 401') as string,
    });
  });
});
