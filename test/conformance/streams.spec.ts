import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompletionWork } from '../../src/engines/engine-adapter.port.js';
import { engineCapabilities } from '../../src/engines/engine-capabilities.js';
import { Secret } from '../../src/platform/config/secret.js';
import type { Option, StreamDialect, Told } from './dialect.js';
import { llamacppChat, llamacppCompletion } from './dialects/llamacpp.js';
import { openAiChat, openAiCompletion } from './dialects/openai.js';
import { tgiChat, tgiGenerate } from './dialects/tgi.js';
import { tritonGenerate } from './dialects/triton.js';
import { vllmChat, vllmCompletion } from './dialects/vllm.js';
import { FakeServer } from './fake-server.js';
import { inThread } from '../support/across-a-line.js';
import { Bench, completionOf, cutAt, endpointAt, requestOf } from './run-adapter.js';

const dialects: readonly StreamDialect[] = [
  llamacppCompletion,
  llamacppChat,
  openAiCompletion,
  openAiChat,
  vllmCompletion,
  vllmChat,
  tgiGenerate,
  tgiChat,
  tritonGenerate,
  { ...inThread(llamacppCompletion), holdsLater: true },
];

const told: Told = {
  texts: ['Hello', ' wörld', ' 🌍👩‍🚀', ' "quoted" \\ \n', ' data: x', '}', ' end'],
  tokensIn: 5,
  finish: 'stop',
};

const optionValues: Record<Option, unknown> = {
  seed: 0,
  temperature: 0,
  top_p: 0.9,
  top_k: 40,
  min_p: 0.05,
  repeat_penalty: 1.1,
  presence_penalty: 0.2,
  frequency_penalty: -0.3,
  stop: ['\n', 'END'],
  grammar: 'root ::= "a"',
  json_schema: { type: 'object', properties: { a: { type: 'string' } } },
};
const options = Object.keys(optionValues) as Option[];

function withOption(dialect: StreamDialect, option: Option): CompletionWork {
  const value = optionValues[option];
  const change = option === 'seed' ? { seed: value as number } : { sampling: { [option]: value } };
  return completionOf(dialect.input, change);
}

describe.each(dialects)('$name', (dialect) => {
  let server: FakeServer;
  let bench: Bench;
  const work = completionOf(dialect.input);
  const whole = dialect.stream(told);
  const text = whole.join('');

  beforeAll(async () => {
    server = await FakeServer.start();
    server.documents = dialect.documents ?? {};
    bench = new Bench((agent) => dialect.adapter(agent));
  });

  afterAll(async () => {
    await bench.close();
    await server.stop();
  });

  const run = (change = {}) => bench.run(endpointAt(server.url, change), requestOf(work));

  /** What is heard of an answer in these pieces. */
  async function heard(pieces: readonly (string | Buffer)[]) {
    server.answers({ pieces });
    const { tokens, ends, errors } = await run();
    return { tokens, ends, errors };
  }
  const all = {
    tokens: told.texts,
    ends: [{ tokensIn: 5, tokensOut: told.texts.length, finishReason: 'stop' }],
    errors: [],
  };

  describe('a whole answer', () => {
    it('gives every token once, in order, and the usage that the engine counted', async () => {
      expect(await heard(whole)).toEqual(all);
    });

    it('may come in one piece', async () => {
      expect(await heard([text])).toEqual(all);
    });

    it('may be split at any byte, also inside a character', async () => {
      const bytes = Buffer.from(text);
      for (let at = 1; at < bytes.length; at += 7) expect(await heard(cutAt(bytes, [at]))).toEqual(all);
      expect(await heard([...bytes].map((byte) => Buffer.of(byte)))).toEqual(all);
      const places = fc.array(fc.nat({ max: bytes.length }), { maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(places, async (at) => {
          expect(await heard(cutAt(bytes, at))).toEqual(all);
        }),
        { numRuns: 30 },
      );
    });

    it('may have CRLF line ends, comments, ids, event names and retry hints', async () => {
      expect(await heard(whole.map((event) => event.replaceAll('\n', '\r\n')))).toEqual(all);
      expect(await heard(whole.map((event) => `: ping\n\nid: 7\nevent: message\nretry: 100\n${event}:\n`))).toEqual(
        all,
      );
    });

    it('says when it ended at the limit', async () => {
      server.answers({ pieces: dialect.stream({ texts: ['a'], tokensIn: 3, finish: 'length' }) });
      expect((await run()).ends).toEqual([{ tokensIn: 3, tokensOut: 1, finishReason: 'length' }]);
    });

    it('may be of no token', async () => {
      server.answers({ pieces: dialect.stream({ texts: [], tokensIn: 3, finish: 'stop' }) });
      expect(await run()).toMatchObject({ tokens: [], ends: [{ tokensIn: 3, tokensOut: 0 }] });
    });

    it('gives any text as it was', async () => {
      const texts = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), { maxLength: 20 });
      const property = async (sent: string[]): Promise<void> => {
        server.answers({ pieces: [dialect.stream({ texts: sent, tokensIn: 1, finish: 'stop' }).join('')] });
        expect((await run()).tokens).toEqual(sent);
      };
      await fc.assert(fc.asyncProperty(texts, property), { numRuns: 50 });
    });

    it('is over at its end: what comes later is not heard', async () => {
      server.answers({ pieces: [...whole, ...whole, 'data: nonsense\n\n'] });
      expect(await run()).toMatchObject({ tokens: told.texts, errors: [] });
    });
  });

  describe('a broken answer', () => {
    it.each(['end', 'cut'] as const)('that stops half way (%s) is a loss after the first byte', async (after) => {
      const half = whole.slice(0, 4);
      server.answers({ pieces: half, after });
      const { tokens, errors, ends } = await run();
      expect(tokens).toEqual(told.texts.slice(0, tokens.length));
      expect(tokens.length).toBeGreaterThan(0);
      expect(ends).toEqual([]);
      expect(errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: true }]);
    });

    it('that stops before the first byte is a loss that another replica can make good', async () => {
      server.answers({ pieces: [], after: 'cut' });
      const cut = { code: 'REPLICA_EXHAUSTED', afterFirstByte: false, isAway: false, wasSent: true };
      expect((await run()).errors).toMatchObject([cut]);
      server.answers({ pieces: [] });
      expect((await run()).errors).toMatchObject([{ code: 'WORKER_RESET', afterFirstByte: false }]);
    });

    it('that never comes is a loss, too', async () => {
      const { errors } = await bench.run(endpointAt('http://127.0.0.1:9'), requestOf(work));
      expect(errors).toMatchObject([
        { code: 'REPLICA_EXHAUSTED', afterFirstByte: false, isAway: true, wasSent: false },
      ]);
    });

    it('that stalls, before or after its first byte, ends after the longest silence', async () => {
      const timeouts = { connectMs: 1000, idleMs: 50, wallMs: 60_000 };
      server.answers({ pieces: whole.slice(0, 3), after: 'stall' });
      const { errors } = await run({ timeouts });
      expect(errors).toMatchObject([{ code: 'DECODE_TIMEOUT', message: expect.stringContaining('50 ms') as string }]);
      await server.untilHungUp();
      server.answers({ pieces: [], after: 'stall' });
      expect((await run({ timeouts })).errors).toMatchObject([{ code: 'DECODE_TIMEOUT' }]);
    });

    it('that is no JSON is refused without repeating it', async () => {
      for (const data of ['secret words', '[1]', 'null', '{"content":"secret words']) {
        server.answers({ pieces: [...whole.slice(0, 2), `data: ${data}\n\n`], after: 'stall' });
        const { errors } = await run();
        expect(errors).toMatchObject([
          { code: 'WORKER_RESET', message: 'the engine sent an event that is no JSON object' },
        ]);
        await server.untilHungUp();
      }
    });

    it('with a line over the configured limit is refused, and the connection closed', async () => {
      const tenMegabytes = Array.from({ length: 160 }, () => Buffer.alloc(65_536, 'x'));
      server.answers({ pieces: [...whole.slice(0, 2), 'data: {"content":"', ...tenMegabytes], after: 'stall' });
      const { errors } = await run({ maxLineBytes: 1_048_576 });
      expect(errors).toMatchObject([
        { code: 'WORKER_RESET', message: 'the engine sent a line of more than 1048576 bytes' },
      ]);
      await server.untilHungUp();
    });

    it('that ends with an error of the engine hands it on, and blames the request only for its own', async () => {
      server.answers({ pieces: [...whole.slice(0, 2), dialect.errorEvent(500, 'out of memory'), ...whole] });
      expect((await run()).errors).toMatchObject([
        { code: 'WORKER_RESET', message: 'out of memory', afterFirstByte: true },
      ]);
      if (dialect.errorsTellNoCode === true) return;
      server.answers({ pieces: [dialect.errorEvent(400, 'the prompt is too long')] });
      expect((await run()).errors).toMatchObject([
        {
          code: 'INVALID_PARAMS',
          message: expect.stringMatching(/^The engine refused the request: .*the prompt is too long$/) as string,
        },
      ]);
    });
  });

  describe('a refusal', () => {
    it.each([
      [400, 'INVALID_PARAMS'],
      [404, 'INVALID_PARAMS'],
      [422, 'INVALID_PARAMS'],
      [401, 'REPLICA_EXHAUSTED'],
      [429, 'REPLICA_EXHAUSTED'],
      [500, 'REPLICA_EXHAUSTED'],
      [503, 'REPLICA_EXHAUSTED'],
    ])('with %i is %s, with the reason the engine gave', async (status, code) => {
      const bytes = Buffer.from(dialect.errorBody(status, 'nöt today'));
      server.answers({ status, type: 'application/json', pieces: [...bytes].map((byte) => Buffer.of(byte)) });
      const { errors, tokens } = await run();
      expect(tokens).toEqual([]);
      expect(errors).toMatchObject([{ code, message: expect.stringContaining('nöt today') as string }]);
    });

    it.each([302, 502])('with %i and a page of a proxy is told by its status', async (status) => {
      server.answers({ status, type: 'text/html', pieces: ['<html>busy</html>'] });
      expect((await run()).errors).toMatchObject([
        { code: 'REPLICA_EXHAUSTED', message: expect.stringContaining(`status ${status}`) as string },
      ]);
    });

    it('that quotes the key does not show it', async () => {
      server.answers({ status: 401, pieces: [dialect.errorBody(401, 'bad key sk-secret')] });
      const { errors } = await run({ apiKey: new Secret('sk-secret') });
      expect(errors.map((error) => JSON.stringify(error) + error.message + error.stack).join()).not.toContain('sk-se');
    });
  });

  describe('canceled', () => {
    it('closes the connection and says nothing more', async () => {
      const abort = new AbortController();
      server.answers({ pieces: [whole.slice(0, -2).join('')], after: 'stall' });
      const { sink } = bench.submit(endpointAt(server.url), requestOf(work), abort.signal);
      await new Promise<void>((resolve) => (sink.tokenHook = resolve));
      abort.abort();
      const calls = sink.calls;
      await server.untilHungUp();
      expect(sink.calls).toBe(calls);
      expect([...sink.ends, ...sink.errors]).toEqual([]);
    });

    it('in the middle of a piece says nothing of its rest', async () => {
      const abort = new AbortController();
      server.answers({ pieces: [text], after: 'stall' });
      const { sink } = bench.submit(endpointAt(server.url), requestOf(work), abort.signal);
      sink.tokenHook = () => abort.abort();
      await new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve()));
      await server.untilHungUp();
      expect([sink.tokens, sink.ends, sink.errors]).toEqual([told.texts.slice(0, 1), [], []]);
    });

    it('before it began asks nothing of the engine', async () => {
      server.answers({ pieces: whole });
      const { sink } = bench.submit(endpointAt(server.url), requestOf(work), AbortSignal.abort());
      expect(await heard(whole)).toEqual(all);
      expect([server.asked.length, sink.calls]).toEqual([1, 0]);
    });
  });

  it.skipIf(dialect.holdsLater === true)('holds the engine back, and goes on where it was', async () => {
    server.answers({ pieces: whole });
    const { sink, stream } = bench.submit(endpointAt(server.url), requestOf(work));
    await new Promise<void>((resolve) => {
      sink.tokenHook = () => {
        stream.pause();
        resolve();
      };
    });
    await server.untilSent();
    // Another exchange from end to end: what had come for the first has been there for long.
    await fetch(server.url);
    expect(sink.tokens).toEqual(told.texts.slice(0, 1));
    sink.tokenHook = () => undefined;
    stream.resume();
    await sink.untilOver();
    expect(sink.tokens).toEqual(told.texts);
  });

  describe('its request', () => {
    const ask = async (asked: CompletionWork, change = {}, url = server.url) => {
      server.answers({ pieces: whole });
      await bench.run(endpointAt(url, change), requestOf(asked, { traceparent: '00-aa-bb-01' }));
      const [first] = server.asked;
      if (first === undefined) throw new Error('it asked nothing');
      return first;
    };

    it('goes to the documented endpoint with what it always has, and nothing that the task left open', async () => {
      const { method, path, headers, body } = await ask(work);
      expect([method, path]).toEqual(['POST', dialect.path]);
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'x-correlation-id': 'a-correlation',
        traceparent: '00-aa-bb-01',
      });
      expect(headers.authorization).toBeUndefined();
      const sent = JSON.parse(body) as object;
      expect(sent).toMatchObject(dialect.body);
      const open = Object.values(dialect.fields).filter((field) => typeof field === 'string');
      expect(Object.keys(sent).filter((key) => open.includes(key))).toEqual([]);
    });

    it('goes below the path of the base URL, with the key of the pool', async () => {
      const { path, headers } = await ask(work, { apiKey: new Secret('sk-1') }, `${server.url}/models/one`);
      expect([path, headers.authorization]).toEqual([`/models/one${dialect.path}`, 'Bearer sk-1']);
    });

    const isSent = (option: Option): boolean => dialect.fields[option] !== undefined;

    it('has a field for every option that the table of capabilities promises, and for no other', () => {
      const { features } = engineCapabilities[bench.adapter.engine];
      const input = 'prompt' in dialect.input ? 'prompt' : 'messages';
      expect(options.filter(isSent)).toEqual(options.filter((option) => features.has(`${input}+${option}`)));
    });

    it.each(options.filter(isSent))('carries %s', async (option) => {
      const { body } = await ask(withOption(dialect, option));
      const field = dialect.fields[option] ?? '';
      const value = optionValues[option];
      expect(JSON.parse(body)).toMatchObject(typeof field === 'string' ? { [field]: value } : field(value));
    });

    it('is not sent at all with an option that would be lost', async () => {
      server.answers({ pieces: whole });
      for (const option of options.filter((one) => !isSent(one))) {
        const { errors } = await bench.run(endpointAt(server.url), requestOf(withOption(dialect, option)));
        expect(errors).toMatchObject([{ code: 'INVALID_PARAMS', message: expect.stringContaining(option) as string }]);
      }
      expect(server.asked).toEqual([]);
    });
  });
});
