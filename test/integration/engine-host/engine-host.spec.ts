import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RunningEngineHost, spawnEngineHost, startEngineHost } from '../../support/engine-host.js';

interface Frame {
  content: string;
  tokens: number[];
  stop: boolean;
  id_slot: number;
  tokens_predicted: number;
  tokens_evaluated: number;
  stop_type?: string;
  stopping_word?: string;
  truncated?: boolean;
  timings?: { predicted_n: number; prompt_n: number; cache_n: number };
}

let host: RunningEngineHost;

beforeAll(async () => {
  host = await startEngineHost({ slots: 2, ctx: 4096 });
});

afterAll(async () => {
  await host.stop();
});

describe('an engine host', () => {
  it('tells health, slots and properties in llama-server’s words', async () => {
    expect(await get('/health')).toEqual({ status: 'ok' });
    expect(await get('/slots')).toMatchObject([
      { id: 0, n_ctx: 2048, is_processing: false },
      { id: 1, n_ctx: 2048, is_processing: false },
    ]);
    expect(await get('/props')).toMatchObject({
      total_slots: 2,
      model_alias: 'demo',
      model_path: host.modelPath,
      default_generation_settings: { n_ctx: 2048 },
      bos_token: '<s>',
      eos_token: '</s>',
    });
    expect(await get('/v1/models')).toMatchObject({ data: [{ id: 'demo', meta: { n_ctx_train: 8192 } }] });
  });

  it('tokenizes any text and gives it back', async () => {
    const content = 'the river, Ünïcödé 😀\n\t<x>';
    const { tokens } = (await post('/tokenize', { content })) as { tokens: number[] };
    expect(await post('/detokenize', { tokens })).toEqual({ content: ` ${content}` });
  });

  it('streams the same text it answers in one piece', async () => {
    const request = { prompt: 'the river', n_predict: 40, temperature: 0, cache_prompt: false };
    const whole = (await post('/completion', request)) as Frame;
    const frames = await stream(request);
    const last = frames.at(-1);
    expect(textOf(frames)).toBe(whole.content);
    expect(frames).toHaveLength(41);
    expect(last).toMatchObject({
      stop: true,
      stop_type: 'limit',
      truncated: false,
      tokens_predicted: 40,
      tokens_evaluated: 3,
    });
    expect(last?.timings).toMatchObject({ predicted_n: 40, prompt_n: 3, cache_n: 0 });
  });

  it('never sends half a character', async () => {
    const frames = await stream({ prompt: 'a', grammar: 'root ::= "héllo 😀 ñ"', n_predict: 60 });
    expect(textOf(frames)).toBe('héllo 😀 ñ');
    expect(frames.some((frame) => frame.content.includes('\uFFFD'))).toBe(false);
    expect(frames.at(-1)).toMatchObject({ stop_type: 'eos' });
  });

  it('ends before a stop word and never sends a part of it', async () => {
    const request = { prompt: 'the river', n_predict: 30, temperature: 0, cache_prompt: false };
    const full = textOf(await stream(request));
    const [, , third = '', fourth = ''] = full.split(' ');
    const stop = `${third} ${fourth.slice(0, 2)}`;
    const frames = await stream({ ...request, stop: [stop] });
    expect(textOf(frames)).toBe(full.slice(0, full.indexOf(stop)));
    expect(frames.at(-1)).toMatchObject({ stop_type: 'word', stopping_word: stop });
  });

  it('sends what it held back for a stop word when the limit comes first', async () => {
    const request = { prompt: 'the river', n_predict: 3, temperature: 0, cache_prompt: false };
    const full = textOf(await stream(request));
    expect(textOf(await stream({ ...request, stop: [`${full} and more`] }))).toBe(full);
  });

  it('writes JSON that fits a schema', async () => {
    const json_schema = { type: 'object', properties: { answer: { type: 'boolean' } } };
    const answer = (await post('/completion', { prompt: 'a', n_predict: 200, json_schema })) as Frame;
    expect(JSON.parse(answer.content)).toEqual({ answer: expect.any(Boolean) as boolean });
  });

  it('reuses the cached beginning of a prompt when asked to', async () => {
    const request = { prompt: 'the old stone bridge', n_predict: 1, id_slot: 1 };
    await post('/completion', { ...request, cache_prompt: false });
    const cached = (await post('/completion', { ...request, cache_prompt: true })) as Frame;
    expect(cached.timings).toMatchObject({ prompt_n: 1, cache_n: cached.tokens_evaluated - 1 });
  });

  it('stops with a truncated answer when the context is full', async () => {
    const answer = (await post('/completion', { prompt: 'the '.repeat(2000), n_predict: -1, temperature: 0 })) as Frame;
    expect(answer).toMatchObject({ stop_type: 'limit', truncated: true });
    expect(answer.tokens_evaluated + answer.tokens_predicted).toBe(2048);
  });

  it('answers chats by the model’s template', async () => {
    const messages = [{ role: 'user', content: 'hi' }];
    expect(await post('/apply-template', { messages })).toEqual({
      prompt: '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n',
    });
    expect(await post('/v1/chat/completions', { messages, max_tokens: 5 })).toMatchObject({
      object: 'chat.completion',
      choices: [{ finish_reason: 'length', message: { role: 'assistant' } }],
      usage: { completion_tokens: 5, prompt_tokens: 22 },
    });
  });

  it('counts tokens and requests for Prometheus', async () => {
    const text = await (await fetch(`${host.url}/metrics`)).text();
    expect(text).toMatch(/^llamacpp:tokens_predicted_total [1-9]\d*$/m);
    expect(text).toMatch(/^llamacpp:requests_processing 0$/m);
    expect(text).toMatch(/^llamacpp:requests_deferred 0$/m);
  });

  it.each([
    ['{"prompt":', 400, 'invalid_request_error'],
    ['{}', 400, 'invalid_request_error'],
    ['{"prompt":5}', 400, 'invalid_request_error'],
    ['{"prompt":"a","n_predict":"x"}', 400, 'invalid_request_error'],
    ['{"prompt":[999999]}', 400, 'invalid_request_error'],
    ['{"prompt":"a","grammar":"root ::= ("}', 400, 'invalid_request_error'],
    ['{"prompt":"a","json_schema":{"type":"foo"}}', 400, 'invalid_request_error'],
  ])('refuses %s', async (body, status, type) => {
    const response = await fetch(`${host.url}/completion`, { method: 'POST', body });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code: status, type } });
  });

  it('refuses a prompt longer than the context with both numbers', async () => {
    const body = JSON.stringify({ prompt: 'the '.repeat(3000) });
    const response = await fetch(`${host.url}/completion`, { method: 'POST', body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { type: 'exceed_context_size_error', n_prompt_tokens: 3002, n_ctx: 2048 },
    });
  });

  it('answers 404 to unknown paths', async () => {
    const response = await fetch(`${host.url}/nope`);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: { code: 404, message: 'File Not Found', type: 'not_found_error' } });
  });
});

describe('an engine host with one slot', () => {
  let single: RunningEngineHost;

  beforeAll(async () => {
    single = await startEngineHost({ slots: 1, ctx: 8192 });
  });

  afterAll(async () => {
    await single.stop();
  });

  it('serves requests beyond its slots in the order they came', async () => {
    const finished: number[] = [];
    const first = await open(single.url, { n_predict: 200 });
    const others = [1, 2, 3].map(async (number) => {
      await stream({ prompt: 'the river', n_predict: 5 }, single.url);
      finished.push(number);
    });
    for await (const _ of first.body ?? []) {
      // read to its end
    }
    await Promise.all(others);
    expect(finished).toEqual([1, 2, 3]);
  });

  it('stops decoding and frees the slot when the client goes away', async () => {
    const controller = new AbortController();
    const response = await open(single.url, { n_predict: 8000 }, controller.signal);
    await response.body?.getReader().read();
    controller.abort();
    await vi.waitFor(async () => {
      expect(await get('/slots', single.url)).toMatchObject([{ is_processing: false }]);
    });
    expect(await get('/slots', single.url)).toMatchObject([{ n_prompt_tokens: expect.any(Number) as number }]);
    const next = await stream({ prompt: 'the river', n_predict: 3 }, single.url);
    expect(next.at(-1)).toMatchObject({ tokens_predicted: 3 });
  });

  it('forgets a request whose client leaves while it waits', async () => {
    const running = await open(single.url, { n_predict: 8000 });
    const controller = new AbortController();
    const waiting = open(single.url, { n_predict: 8000 }, controller.signal).catch(() => 'aborted');
    await vi.waitFor(async () => expect(await deferred(single.url)).toBe(1));
    controller.abort();
    await vi.waitFor(async () => expect(await deferred(single.url)).toBe(0));
    expect(await waiting).toBe('aborted');
    await running.body?.cancel();
  });
});

describe('the life of an engine host', () => {
  it('ends with 0 on SIGTERM, cutting open streams', async () => {
    const other = await startEngineHost({ ctx: 8192 });
    const response = await open(other.url, { n_predict: 8000 });
    const reading = response.text().catch(() => 'cut');
    expect(await other.stop()).toBe(0);
    expect(await reading).toBe('cut');
  });

  it('ends when its parent is gone', async () => {
    const other = await startEngineHost();
    const exit = once(other.process, 'exit');
    other.process.stdin?.end();
    expect((await exit)[0]).toBe(0);
  });

  it('says in one line that the model is missing', async () => {
    expect(await failureOf(['--model', '/nowhere/model.gguf'])).toEqual([1, 'model not found: /nowhere/model.gguf']);
  });

  it('says in one line that the file is no model', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'orchd-engine-host-'));
    const path = join(dir, 'text.gguf');
    await writeFile(path, 'this is not a model, just some text');
    expect(await failureOf(['--model', path])).toEqual([1, `not a GGUF model: ${path}`]);
    await rm(dir, { recursive: true });
  });

  it('says in one line that the port is taken', async () => {
    const port = new URL(host.url).port;
    const [code, message] = await failureOf(['--model', host.modelPath, '--port', port]);
    expect(code).toBe(1);
    expect(message).toContain(`can't listen on 127.0.0.1:${port}`);
  });

  it('refuses flags it does not know with another exit code', async () => {
    expect((await failureOf(['--model', host.modelPath, '--frobnicate']))[0]).toBe(2);
  });
});

async function get(path: string, url = host.url): Promise<unknown> {
  return (await fetch(url + path)).json();
}

async function post(path: string, body: unknown): Promise<unknown> {
  return (await fetch(host.url + path, { method: 'POST', body: JSON.stringify(body) })).json();
}

async function open(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  const request = { prompt: 'the river', temperature: 0, stream: true, ...body };
  return fetch(`${url}/completion`, { method: 'POST', body: JSON.stringify(request), ...(signal ? { signal } : {}) });
}

async function stream(body: object, url = host.url): Promise<Frame[]> {
  const response = await fetch(`${url}/completion`, {
    method: 'POST',
    body: JSON.stringify({ ...body, stream: true }),
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const frames = (await response.text()).split('\n\n').filter((frame) => frame !== '');
  return frames.map((frame) => JSON.parse(frame.replace(/^data: /, '')) as Frame);
}

function textOf(frames: readonly Frame[]): string {
  return frames.map((frame) => frame.content).join('');
}

async function deferred(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^llamacpp:requests_deferred (\d+)$/m.exec(text)?.[1]);
}

async function failureOf(flags: readonly string[]): Promise<[code: number | null, message: string]> {
  const child = await spawnEngineHost(flags);
  let logged = '';
  child.stderr?.on('data', (chunk: Buffer) => (logged += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  const lines = logged.trim().split('\n');
  expect(lines).toHaveLength(1);
  return [code, (JSON.parse(lines[0] ?? '{}') as { msg: string }).msg];
}
