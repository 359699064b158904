import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookAtEngine } from '../../src/engines/engine-probe.js';
import { TritonAdapter } from '../../src/engines/triton/triton.adapter.js';
import { Secret } from '../../src/platform/config/secret.js';
import { tensorRtModel, vllmModel } from './dialects/triton.js';
import { FakeTriton, SplittingProxy } from './fake-triton.js';
import { Bench, completionOf, endpointAt, requestOf } from './run-adapter.js';

const texts = ['Hello', ' wörld', ' 🌍👩‍🚀', ' "quoted" \\ \n', ' end'];
const work = completionOf({ prompt: 'Hi' });

const bytes = (text: string): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
};
const uint = (value: number): Buffer => {
  const raw = Buffer.alloc(4);
  raw.writeUInt32LE(value);
  return raw;
};

/** As Triton writes it: names and types of the outputs, and their contents raw, in the same order. */
const response = (text: string, finish = 'None', tokens = 1) => ({
  infer_response: {
    model_name: 'a-model',
    model_version: '1',
    id: 'a-task',
    parameters: { triton_final_response: { bool_param: false } },
    outputs: [
      { name: 'text_output', datatype: 'BYTES', shape: [1] },
      { name: 'finish_reason', datatype: 'BYTES', shape: [1] },
      { name: 'num_input_tokens', datatype: 'UINT32', shape: [1] },
      { name: 'num_output_tokens', datatype: 'UINT32', shape: [1] },
    ],
    raw_output_contents: [bytes(text), bytes(finish), uint(5), uint(tokens)],
  },
});
const final = {
  infer_response: { model_name: 'a-model', parameters: { triton_final_response: { bool_param: true } } },
};
const whole = [...texts.slice(0, -1).map((text) => response(text)), response(texts.at(-1) ?? '', 'stop'), final];
const all = { tokens: texts, ends: [{ tokensIn: 5, tokensOut: texts.length, finishReason: 'stop' }], errors: [] };

let server: FakeTriton;
let bench: Bench;
let adapter: TritonAdapter;

beforeAll(async () => {
  server = await FakeTriton.start();
});

afterAll(() => server.stop());

beforeEach(() => {
  server.model = vllmModel;
  server.isReady = true;
  bench = new Bench((agent) => (adapter = new TritonAdapter(agent)));
  return async () => {
    adapter.close();
    await bench.close();
  };
});

const run = (change = {}, asked = work) => bench.run(endpointAt(server.url, change), requestOf(asked));

describe('a whole answer', () => {
  it('gives every token once, in order, and the usage that the engine counted', async () => {
    server.answers({ responses: whole });
    expect(await run()).toMatchObject(all);
  });

  it.each([[[1]], [[3, 1, 7]], [[64]]])('may be split at any byte: in pieces of %j', async (sizes) => {
    const proxy = await SplittingProxy.start(server.url, sizes);
    server.answers({ responses: whole });
    expect(await bench.run(endpointAt(proxy.url), requestOf(work))).toMatchObject(all);
    adapter.close();
    proxy.stop();
  });

  it('may have its contents as lists instead of raw', async () => {
    const listed = {
      infer_response: {
        outputs: [
          { name: 'text_output', datatype: 'BYTES', contents: { bytes_contents: [Buffer.from('hi')] } },
          { name: 'finish_reason', datatype: 'BYTES', contents: { bytes_contents: [Buffer.from('length')] } },
          { name: 'num_output_tokens', datatype: 'UINT32', contents: { uint_contents: [1] } },
        ],
      },
    };
    server.answers({ responses: [listed, final] });
    expect(await run()).toMatchObject({ tokens: ['hi'], ends: [{ tokensOut: 1, finishReason: 'length' }] });
  });

  it('is over with its final response, whatever comes later', async () => {
    server.answers({ responses: [...whole, ...whole], after: 'stall' });
    expect(await run()).toMatchObject(all);
  });

  it('of a backend that neither counts nor gives reasons is counted here', async () => {
    server.model = tensorRtModel;
    const plain = (text: string) => ({
      infer_response: {
        outputs: [{ name: 'text_output', datatype: 'BYTES', shape: [1] }],
        raw_output_contents: [bytes(text)],
      },
    });
    server.answers({ responses: [plain('a'), plain('b'), final] });
    expect((await run()).ends).toEqual([{ tokensIn: 0, tokensOut: 2, finishReason: 'stop' }]);
    server.answers({ responses: [plain('a'), plain('b'), final] });
    expect((await run({}, completionOf({ prompt: 'Hi' }, { maxTokens: 2 }))).ends).toMatchObject([
      { finishReason: 'length' },
    ]);
  });
});

describe('a broken answer', () => {
  it('without a final response is a loss', async () => {
    server.answers({ responses: whole.slice(0, 2) });
    expect((await run()).errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: true }]);
    server.answers({ responses: [] });
    expect((await run()).errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: false }]);
  });

  it('without a reason is a loss where the engine gives one', async () => {
    server.answers({ responses: [response('a'), final] });
    expect((await run()).errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: true }]);
  });

  it.each([
    [3, false, 'INVALID_PARAMS'],
    [12, false, 'INVALID_PARAMS'],
    [8, false, 'REPLICA_EXHAUSTED'],
    [14, false, 'REPLICA_EXHAUSTED'],
    [16, false, 'REPLICA_EXHAUSTED'],
    [13, true, 'WORKER_RESET'],
    [3, true, 'INVALID_PARAMS'],
  ])('with status %i is told in our words (after a token: %s)', async (code, hasBegun, told) => {
    server.answers({ responses: hasBegun ? whole.slice(0, 1) : [], after: { code, details: 'nöt today' } });
    const { errors } = await run();
    expect(errors).toMatchObject([
      { code: told, message: expect.stringContaining('nöt today') as string, afterFirstByte: hasBegun },
    ]);
  });

  it('with an error in its stream hands it on, without the key', async () => {
    server.answers({ responses: [response('a'), { error_message: 'out of memory, sk-1' }], after: 'stall' });
    const { errors, tokens } = await run({ apiKey: new Secret('sk-1') });
    expect(tokens).toEqual(['a']);
    expect(errors).toMatchObject([
      { code: 'WORKER_RESET', message: 'out of memory, [redacted]', afterFirstByte: true },
    ]);
    await server.untilCanceled();
  });

  it('that stalls ends after the longest silence, and the engine hears of it', async () => {
    server.answers({ responses: whole.slice(0, 1), after: 'stall' });
    const { errors } = await run({ timeouts: { connectMs: 1000, idleMs: 200, wallMs: 60_000 } });
    expect(errors).toMatchObject([{ code: 'DECODE_TIMEOUT', message: expect.stringContaining('200 ms') as string }]);
    await server.untilCanceled();
  });

  it('with a message over the configured limit is refused', async () => {
    server.answers({ responses: [response('a'), response('x'.repeat(200_000))], after: 'stall' });
    const { errors } = await run({ maxLineBytes: 100_000 });
    expect(errors).toMatchObject([{ code: 'WORKER_RESET', message: expect.stringContaining('larger') as string }]);
  });

  it('that never comes is a loss that another replica can make good', async () => {
    const { errors } = await bench.run(endpointAt('grpc://127.0.0.1:9'), requestOf(work));
    expect(errors).toMatchObject([{ code: 'REPLICA_EXHAUSTED', afterFirstByte: false, isAway: true, wasSent: false }]);
  });
});

describe('a run', () => {
  it('that is canceled tells the engine, and says nothing more', async () => {
    const abort = new AbortController();
    server.answers({ responses: whole.slice(0, 2), after: 'stall' });
    const { sink } = bench.submit(endpointAt(server.url), requestOf(work), abort.signal);
    await new Promise<void>((resolve) => (sink.tokenHook = resolve));
    abort.abort();
    const { calls } = sink;
    await server.untilCanceled();
    expect(sink.calls).toBe(calls);
    expect([...sink.ends, ...sink.errors]).toEqual([]);
  });

  it('that was canceled before it began asks nothing', async () => {
    server.answers({ responses: whole });
    const { sink } = bench.submit(endpointAt(server.url), requestOf(work), AbortSignal.abort());
    expect(await run()).toMatchObject(all);
    expect([server.asked.length, sink.calls]).toEqual([1, 0]);
  });

  it('can be held back, and goes on where it was', async () => {
    server.answers({ responses: whole });
    const { sink, stream } = bench.submit(endpointAt(server.url), requestOf(work));
    await new Promise<void>((resolve) => {
      sink.tokenHook = () => {
        stream.pause();
        resolve();
      };
    });
    expect(await run()).toMatchObject(all);
    expect(sink.tokens).toEqual(texts.slice(0, 1));
    sink.tokenHook = () => undefined;
    stream.resume();
    await sink.untilOver();
    expect(sink.tokens).toEqual(texts);
  });
});

describe('its request', () => {
  it('carries key, correlation id and trace, and asks for an empty final response', async () => {
    server.answers({ responses: whole });
    const request = requestOf(work, { traceparent: '00-aa-bb-01' });
    await bench.run(endpointAt(server.url, { apiKey: new Secret('sk-1') }), request);
    expect(server.asked).toMatchObject([
      {
        request: {
          model_name: 'a-model',
          id: 'a-task',
          parameters: { triton_enable_empty_final_response: { bool_param: true } },
        },
        headers: {
          authorization: 'Bearer sk-1',
          'x-correlation-id': 'a-correlation',
          traceparent: '00-aa-bb-01',
          triton_grpc_error: 'true',
        },
      },
    ]);
  });

  it('has the inputs of the vLLM backend', async () => {
    server.answers({ responses: whole });
    await run({}, completionOf({ prompt: 'Hü' }, { seed: 3, sampling: { top_k: 5 } }));
    const parameters = JSON.stringify({ max_tokens: 7, seed: 3, top_k: 5 });
    expect(server.asked[0]?.request['inputs']).toMatchObject([
      { name: 'text_input', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('Hü')] } },
      { name: 'stream', datatype: 'BOOL', shape: [1], contents: { bool_contents: [true] } },
      { name: 'sampling_parameters', contents: { bytes_contents: [Buffer.from(parameters)] } },
      { name: 'exclude_input_in_output' },
      { name: 'return_finish_reason' },
      { name: 'return_num_input_tokens' },
      { name: 'return_num_output_tokens' },
    ]);
  });

  it('has the inputs of the TensorRT-LLM backend, in their types and shapes, and asks for no logits', async () => {
    server.model = tensorRtModel;
    server.answers({ responses: [final] });
    const sampling = { temperature: 0.5, repeat_penalty: 1.5, stop: ['a', 'b'] };
    await run({}, completionOf({ prompt: 'Hi' }, { seed: 3, sampling }));
    expect(server.asked[0]?.request).toMatchObject({
      inputs: [
        { name: 'text_input', datatype: 'BYTES', shape: [1, 1] },
        { name: 'stream', datatype: 'BOOL', shape: [1, 1], contents: { bool_contents: [true] } },
        { name: 'max_tokens', datatype: 'INT32', shape: [1, 1], contents: { int_contents: [7] } },
        { name: 'seed', datatype: 'UINT64', shape: [1, 1], contents: { uint64_contents: [3] } },
        { name: 'temperature', datatype: 'FP32', shape: [1, 1], contents: { fp32_contents: [0.5] } },
        { name: 'repetition_penalty', contents: { fp32_contents: [1.5] } },
        { name: 'stop_words', shape: [1, 2], contents: { bytes_contents: [Buffer.from('a'), Buffer.from('b')] } },
      ],
      outputs: [{ name: 'text_output' }],
    });
  });

  it('is not sent for a model that has no input for an option', async () => {
    server.model = tensorRtModel;
    server.answers({ responses: [final] });
    const { errors } = await run({}, completionOf({ prompt: 'Hi' }, { sampling: { presence_penalty: 1 } }));
    expect(errors).toMatchObject([
      { code: 'INVALID_PARAMS', message: expect.stringContaining('presence_penalty') as string },
    ]);
    expect(server.asked).toEqual([]);
  });

  it('asks again what a model takes once something went wrong', async () => {
    server.answers({ responses: [], after: { code: 3, details: 'unexpected inference input' } });
    await run();
    server.model = tensorRtModel;
    server.answers({ responses: [final] });
    expect((await run()).errors).toEqual([]);
    server.model = { code: 5, details: 'Request for unknown model' };
    const other = requestOf(work, { model: 'other' });
    expect((await bench.run(endpointAt(server.url), other)).errors).toMatchObject([{ code: 'INVALID_PARAMS' }]);
  });
});

describe('looking whether a Triton server is fit', () => {
  it('asks by gRPC whether it is ready, and its version', async () => {
    expect(await lookAtEngine('triton', server.url, 1000)).toEqual({
      kind: 'ready',
      engineVersion: '2.60.0',
      ctxMax: null,
      slots: null,
      modelName: null,
    });
    server.isReady = false;
    expect(await lookAtEngine('triton', server.url, 1000)).toMatchObject({ kind: 'loading' });
    expect(await lookAtEngine('triton', 'grpc://127.0.0.1:9', 1000)).toMatchObject({ kind: 'dead' });
  });

  it.each(['grpc', 'http'])('tells one that is silent by %s from one that is dead', async (protocol) => {
    const mute = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const url = `${protocol}://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    expect(await lookAtEngine('triton', url, 100)).toMatchObject({
      kind: 'silent',
      detail: expect.stringContaining('no answer in time') as string,
    });
    mute.close();
  });
});
