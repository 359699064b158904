import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompletionWork, EngineWork } from '../../src/engines/engine-adapter.port.js';
import { lookAtEngine } from '../../src/engines/engine-probe.js';
import { LlamacppAdapter } from '../../src/engines/llamacpp/llamacpp.adapter.js';
import { OpenAiAdapter } from '../../src/engines/openai/openai.adapter.js';
import {
  busySlots,
  llamaServer,
  skipNote,
  startLlamaServer,
  type RunningLlamaServer,
} from '../support/llama-server.js';
import { Bench, completionOf, endpointAt, requestOf } from './run-adapter.js';

const common = ['--parallel', '2', '--ctx-size', '16384'];
const adapters = [
  { name: 'llamacpp', create: (agent: Bench['agent']) => new LlamacppAdapter(agent) },
  { name: 'openai', create: (agent: Bench['agent']) => new OpenAiAdapter(agent) },
];
const prompt = { prompt: 'Once upon a time' };
const messages = { messages: [{ role: 'user' as const, content: 'Tell me a story' }] };
const signal = new AbortController().signal;

describe.skipIf(llamaServer === null)(`a real llama-server that generates${skipNote}`, () => {
  let engine: RunningLlamaServer;
  beforeAll(async () => {
    engine = await startLlamaServer([...common, '--metrics', '--slot-save-path', tmpdir()]);
  }, 70_000);
  afterAll(() => engine.stop());

  describe.each(adapters)('spoken to by the adapter $name', ({ create }) => {
    const bench = new Bench(create);
    afterAll(() => bench.close());
    const run = (work: EngineWork, url = engine.url) => bench.run(endpointAt(url), requestOf(work, { model: 'demo' }));

    it.each([prompt, messages])('answers %j, and counts what it was asked for', async (input) => {
      const { tokens, ends, errors } = await run(completionOf(input, { maxTokens: 12, seed: 3 }));
      expect(errors).toEqual([]);
      expect(tokens.length).toBeGreaterThan(0);
      expect(ends).toMatchObject([{ tokensIn: expect.any(Number) as number }]);
      const { tokensIn, tokensOut, finishReason } = ends[0] ?? { tokensIn: 0, tokensOut: 0, finishReason: 'stop' };
      expect(tokensIn).toBeGreaterThan(3);
      expect(tokensOut).toBeGreaterThanOrEqual(tokens.length);
      expect(finishReason === 'length').toBe(tokensOut === 12);
    });

    it('gives the same text for the same seed, and ends at the text it is told to', async () => {
      const work = completionOf(prompt, { maxTokens: 16, seed: 7, sampling: { temperature: 1 } });
      const text = (await run(work)).tokens.join('');
      expect((await run(work)).tokens.join('')).toBe(text);
      const stop = text.slice(6, 9);
      const { tokens, ends } = await run({ ...work, sampling: { temperature: 1, stop: [stop] } });
      expect(tokens.join('')).toBe(text.slice(0, text.indexOf(stop)));
      expect(ends).toMatchObject([{ finishReason: 'stop' }]);
    });

    it('stops when it is canceled, and the slot is free again', async () => {
      const abort = new AbortController();
      const long: CompletionWork = completionOf(prompt, { maxTokens: 4000, seed: 1 });
      const { sink } = bench.submit(endpointAt(engine.url), requestOf(long), abort.signal);
      await new Promise<void>((resolve) => (sink.tokenHook = resolve));
      expect(await busySlots(engine.url)).toBe(1);
      abort.abort();
      const { calls } = sink;
      await expect.poll(() => busySlots(engine.url), { timeout: 10_000, interval: 20 }).toBe(0);
      expect(sink.calls).toBe(calls);
    });

    it('says why it refuses a prompt that is too long', async () => {
      const { errors } = await run(completionOf({ prompt: 'once upon a time '.repeat(6000) }));
      expect(errors).toMatchObject([
        { code: 'INVALID_PARAMS', message: expect.stringMatching(/refused the request: .*context/) as string },
      ]);
    });

    it('refuses embeddings that it was not started for', async () => {
      const { errors } = await run({ kind: 'embedding', inputs: ['a'] });
      expect(errors).toMatchObject([{ code: 'INVALID_PARAMS' }]);
    });

    it('is found fit', async () => {
      const look = await lookAtEngine(bench.adapter.engine, engine.url, 2000);
      expect(look).toMatchObject({ kind: 'ready', modelName: expect.stringContaining('demo') as string });
    });
  });

  it('follows a schema, counts tokens, measures itself, and forgets a session', async () => {
    const bench = new Bench((agent) => new LlamacppAdapter(agent));
    const adapter = new LlamacppAdapter(bench.agent);
    const endpoint = endpointAt(engine.url);
    const schema = {
      type: 'object',
      properties: { a: { type: 'boolean' } },
      required: ['a'],
      additionalProperties: false,
    };
    const work = completionOf(prompt, { maxTokens: 200, sampling: { json_schema: schema } });
    const { tokens } = await bench.run(endpoint, requestOf(work, { sessionId: 'a-session' }));
    expect(JSON.parse(tokens.join(''))).toEqual({ a: expect.any(Boolean) as boolean });
    expect(await adapter.countTokens(endpoint, undefined, 'once upon a time', signal)).toBeGreaterThan(3);
    expect(await adapter.metrics(endpoint, signal)).toMatchObject({ running: 0, waiting: 0 });
    expect(await bench.adapter.evictSession?.(endpoint, 'a-session', signal)).toBe(true);
    await bench.close();
  });
});

describe.skipIf(llamaServer === null)(`a real llama-server that embeds or ranks${skipNote}`, () => {
  const bench = new Bench((agent) => new LlamacppAdapter(agent));
  const viaOpenAi = new Bench((agent) => new OpenAiAdapter(agent));
  let embedder: RunningLlamaServer;
  let ranker: RunningLlamaServer;

  beforeAll(async () => {
    [embedder, ranker] = await Promise.all([
      startLlamaServer([...common, '--embedding', '--pooling', 'mean']),
      startLlamaServer([...common, '--reranking']),
    ]);
  }, 70_000);

  afterAll(async () => {
    await Promise.all([embedder.stop(), ranker.stop(), bench.close(), viaOpenAi.close()]);
  });

  it('gives a vector for each text, the same through either adapter', async () => {
    const request = requestOf({ kind: 'embedding', inputs: ['once upon', 'a tïme', 'once upon'] });
    const { ends, errors } = await bench.run(endpointAt(embedder.url), request);
    expect(errors).toEqual([]);
    const result = ends[0]?.result;
    if (result === undefined || !('embeddings' in result)) throw new Error('no embeddings');
    const [first, second, third] = result.embeddings;
    expect(first).toHaveLength(64);
    expect(first?.map((value) => value.toFixed(4))).toEqual(third?.map((value) => value.toFixed(4)));
    expect(first).not.toEqual(second);
    expect(ends[0]?.tokensIn).toBeGreaterThan(5);
    const other = await viaOpenAi.run(endpointAt(`${embedder.url}/v1`), request);
    expect(other.ends).toMatchObject([{ tokensIn: ends[0]?.tokensIn }]);
  });

  it('gives a score for each document, best first', async () => {
    const documents = ['hi there', 'once upon a time', 'ä'];
    const { ends, errors } = await bench.run(
      endpointAt(ranker.url),
      requestOf({ kind: 'rerank', query: 'a story', documents }),
    );
    expect(errors).toEqual([]);
    const result = ends[0]?.result;
    if (result === undefined || !('scores' in result)) throw new Error('no scores');
    expect(result.scores.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    const scores = result.scores.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(ends[0]?.tokensIn).toBeGreaterThan(3);
  });
});
