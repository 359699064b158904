import { connect, type AddressInfo, type Server } from 'node:net';
import { Controller, Get, HttpCode, Module, Param, Post, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskRequest, type TaskRequest } from '../../contract/task-request.js';
import { taskListQuery, taskParams, type TaskListQuery } from '../../contract/task-response.js';
import { loadConfig } from '../config/load-config.js';
import { AppError } from '../errors/app-error.js';
import { createLog } from '../observability/logger.js';
import { MetricsModule } from '../observability/metrics.module.js';
import { mountQueueBoard } from '../queue-board/queue-board.js';
import { mountDocs } from './docs.js';
import { createHttpApp } from './http-app.js';
import { ValidBody, ValidParams, ValidQuery } from './validated.js';

@Controller('/v2')
class ProbeController {
  @Post('/tasks')
  @HttpCode(202)
  submit(@ValidBody(taskRequest) request: TaskRequest): unknown {
    return request;
  }

  @Get('/tasks')
  list(@ValidQuery(taskListQuery) query: TaskListQuery): unknown {
    return query;
  }

  @Get('/tasks/:id')
  read(@ValidParams(taskParams) params: { id: string }): unknown {
    return params;
  }

  @Post('/tasks/:id/cancel')
  @HttpCode(204)
  cancel(@ValidParams(taskParams) _params: { id: string }): void {}

  @Get('/stream')
  stream(@Res() reply: FastifyReply): void {
    reply.hijack();
    reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream' });
    reply.raw.end('event: started\n\n');
  }

  @Get('/fail/:how')
  fail(@Param('how') how: string): void {
    if (how === 'busy')
      throw new AppError('ADMISSION_REJECT', 'The queue is full.', { retryAfterMs: 1200, poolId: 'p' });
    if (how === 'redis')
      throw Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED' });
    if (how === 'postgres') throw new Error('Query failed', { cause: new Error('Connection terminated unexpectedly') });
    throw new Error('secret detail');
  }
}

@Controller()
class OpenController {
  @Get('/healthz')
  alive(): unknown {
    return { status: 'ok' };
  }
}

@Module({ imports: [MetricsModule.register()], controllers: [ProbeController, OpenController] })
class ProbeModule {}

const lines: string[] = [];

async function start(env: Record<string, string>, yaml?: string): Promise<NestFastifyApplication> {
  const loaded = loadConfig({ env, cwd: '/nonexistent' });
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
  const config = yaml === undefined ? loaded.config : { ...loaded.config, ...(JSON.parse(yaml) as object) };
  const log = createLog({ level: 'debug', color: false, destination: { write: (line) => void lines.push(line) } });
  const app = await createHttpApp(ProbeModule, config, log);
  mountDocs(app, '0.0.0');
  mountQueueBoard(app.getHttpAdapter().getInstance(), () => []);
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return app;
}

const good = { workload: 'completion', model_ref: 'default', prompt: 'hi', max_tokens: 4 };
const id = '5b0f2a6e-4c1d-4c9f-9a57-0d3b1f6c2e88';

describe('without a token, on loopback', () => {
  let app: NestFastifyApplication;

  beforeAll(async () => {
    app = await start({});
  });
  afterAll(() => app.close());

  const post = (payload: string | Buffer | object, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/v2/tasks',
      payload: payload as string,
      headers: { 'content-type': 'application/json', ...headers },
    });

  it('passes a good request with its defaults filled in', async () => {
    const response = await post(good);
    expect(response.statusCode).toBe(202);
    expect(response.json()).toEqual({ ...good, priority: 'interactive', on_disconnect: 'continue' });
  });

  it.each([
    [{ ...good, max_tokens: 0 }, 'max_tokens', 'must be at least 1'],
    [{ ...good, prompt: undefined }, 'prompt', 'is required'],
    [{ ...good, maxTokens: 3 }, 'maxTokens', 'is not known here; did you mean "max_tokens"?'],
    [{ ...good, sampling: { top_p: 2 } }, 'sampling.top_p', 'must be at most 1'],
    [{ ...good, sampling: { stop: ['a', 3] } }, 'sampling.stop.1', 'must be a text'],
    [{ ...good, priority: 'urgent' }, 'priority', 'must be one of "interactive", "batch"'],
    [{ ...good, task_id: 'x' }, 'task_id', 'must be a UUID'],
    [{ ...good, prompt: 'a\0b' }, 'prompt', 'contains a NUL character, which cannot be stored'],
    [{ ...good, prompt: '\ud800' }, 'prompt', 'contains half of a surrogate pair, which is no Unicode text'],
    [
      { ...good, sampling: { json_schema: { a: ['\0'] } } },
      'sampling.json_schema.a.0',
      'contains a NUL character, which cannot be stored',
    ],
    [null, 'body', 'must be an object'],
    [[], 'body', 'must be an object'],
    ['"text"', 'body', 'must be an object'],
    ['{"a":', 'body', 'is not valid JSON'],
    ['{"sampling":{"json_schema":{"maximum":-1e999}}}', 'sampling.json_schema.maximum', 'is a number too large'],
    ['{"sampling":{"__proto__":{"a":1}}}', 'sampling.__proto__', 'is a forbidden key'],
    [Buffer.from([0x22, 0xff, 0x22]), 'body', 'is not UTF-8'],
    ['', 'body', 'is required'],
  ])('refuses %j and names %s', async (payload, field, problem) => {
    const body = payload === null || Array.isArray(payload) ? JSON.stringify(payload) : payload;
    const response = await post(body);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 'INVALID_PARAMS',
      retriable: false,
      details: [{ field, problem: expect.stringContaining(problem) }],
    });
    expect(response.json().correlation_id).toBe(response.headers['x-correlation-id']);
  });

  it('refuses nesting without measure, however deep', async () => {
    const deep = (levels: number) => `{"x":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    for (const levels of [200, 100_000]) {
      const response = await post(deep(levels));
      expect(response.statusCode).toBe(400);
      expect(response.json().details[0].problem).toContain('nested deeper');
    }
  });

  it('names every bad field at once', async () => {
    const response = await post({ workload: 'completion', model_ref: '', prompt: '', max_tokens: 'x', what: 1 });
    expect(response.json().details.map((detail: { field: string }) => detail.field)).toEqual([
      'model_ref',
      'prompt',
      'max_tokens',
      'what',
    ]);
  });

  it('names a hundred problems of a body that has a thousand', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key${index}`, index]));
    const response = await post({ ...good, ...unknown, max_tokens: 0 });
    expect(response.statusCode).toBe(400);
    expect(response.json().details).toHaveLength(100);
    expect(response.json().details[0]).toEqual({ field: 'max_tokens', problem: 'must be at least 1' });
  });

  it.each([
    ['2026-11-27T08:15:00Z', '2026-11-27T08:15:00.000Z'],
    ['2026-11-27T09:15:00.5%2B01:00', '2026-11-27T08:15:00.500Z'],
    ['2026-11-27', '2026-11-27T00:00:00.000Z'],
    ['1795767300000', '2026-11-27T08:15:00.000Z'],
  ])('takes since=%s', async (text, moment) => {
    const response = await app.inject({ url: `/v2/tasks?since=${text}` });
    expect(response.json().since).toBe(Date.parse(moment));
  });

  it.each([
    ['text/plain', good],
    ['application/x-www-form-urlencoded', 'a=b'],
    ['nonsense', good],
  ])('takes no %s', async (type, payload) => {
    const response = await post(payload, { 'content-type': type });
    expect([response.statusCode, response.json().code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('takes no body over the limit', async () => {
    const response = await post({ ...good, prompt: 'x'.repeat(4_194_304) });
    expect([response.statusCode, response.json().code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it.each([
    ['/v2/tasks?limit=0', 'query.limit'],
    ['/v2/tasks?limit=1&limit=2', 'query.limit'],
    ['/v2/tasks?nope=1', 'query.nope'],
    ['/v2/tasks?model_ref=a%00b', 'query.model_ref'],
    ['/v2/tasks?__proto__=1', 'query.__proto__'],
    ['/v2/tasks?since=yesterday', 'query.since'],
    ['/v2/tasks?since=task-7', 'query.since'],
    ['/v2/tasks?since=-86400000', 'query.since'],
    ['/v2/tasks?since=2026-11-27T09:15:00+01:00', 'query.since'],
    ['/v2/tasks/not-a-uuid', 'path.id'],
    [`/v2/tasks/${'a'.repeat(3000)}`, 'path'],
    ['/v2/tasks/%zz', 'path'],
    ['/%', 'path'],
  ])('refuses %s and names %s', async (url, field) => {
    const response = await app.inject({ url });
    expect(response.statusCode).toBe(400);
    expect(response.json().details[0].field).toBe(field);
    expect(response.headers['x-correlation-id']).toBe(response.json().correlation_id);
  });

  it.each([
    ['GET', '/nothing'],
    ['DELETE', '/v2/tasks'],
    ['PUT', '/queues/api/queues/pause'],
    ['OPTIONS', '/v2/tasks'],
    ['GET', '/v2/tasks/'],
    ['GET', '/docs/nothing.js'],
    ['GET', '/queues/static/nothing.js'],
    ['GET', '/v1/replicasets'],
  ] as const)('answers %s %s with NOT_FOUND', async (method, url) => {
    const response = await app.inject({ method, url });
    expect([response.statusCode, response.json().code]).toEqual([404, 'NOT_FOUND']);
    expect(response.headers['x-correlation-id']).toBe(response.json().correlation_id);
  });

  it.each([
    '/healthz',
    '/docs',
    '/docs-json',
    '/docs/swagger-ui.css',
    '/queues',
    '/queues/api/queues',
    '/metrics',
    '/v2/stream',
    `/v2/tasks/${id}`,
  ])('serves %s with a correlation id', async (url) => {
    const echoed = await app.inject({ url, headers: { 'x-correlation-id': 'mine-1' } });
    expect(echoed.statusCode).toBe(200);
    expect(echoed.headers['x-correlation-id']).toBe('mine-1');
    const fresh = await app.inject({ url, headers: { 'x-correlation-id': 'has spaces' } });
    expect(fresh.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('gives 204 a correlation id, and minds no empty JSON body', async () => {
    const response = await app.inject({
      method: 'POST',
      url: `/v2/tasks/${id}/cancel`,
      headers: { 'content-type': 'application/json' },
    });
    expect(response.statusCode).toBe(204);
    expect(response.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('says when to try again', async () => {
    const response = await app.inject({ url: '/v2/fail/busy' });
    expect(response.statusCode).toBe(429);
    expect(response.headers).toMatchObject({ 'retry-after': '2', 'x-backoff-ms': '1200' });
    expect(response.json()).toMatchObject({
      code: 'ADMISSION_REJECT',
      retriable: true,
      retry_after_ms: 1200,
      pool_id: 'p',
    });
  });

  it.each(['redis', 'postgres'])('answers 503 while %s is away', async (how) => {
    const response = await app.inject({ url: `/v2/fail/${how}` });
    expect([response.statusCode, response.json().code, response.json().retriable]).toEqual([503, 'UNAVAILABLE', true]);
  });

  it('keeps an unforeseen failure to itself, and logs it', async () => {
    const response = await app.inject({ url: '/v2/fail/else' });
    expect([response.statusCode, response.json().code]).toEqual([500, 'INTERNAL']);
    expect(response.body).not.toContain('secret detail');
    const line = lines.find((text) => text.includes('secret detail'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'error', correlation_id: response.json().correlation_id });
  });

  it('takes no compressed body', async () => {
    const response = await post(good, { 'content-encoding': 'gzip' });
    expect([response.statusCode, response.json().code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it.each([
    ['NONSENSE\r\n\r\n', 'request'],
    ['GET / HTTP/1.1\r\n\r\n', 'header.Host'],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 'header'],
    ['POST /v2/tasks HTTP/1.1\r\nHost: localhost\r\nExpect: bananas\r\nContent-Length: 0\r\n\r\n', 'header.Expect'],
    [
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'request',
    ],
  ])('answers bad HTTP with the envelope: %j', async (text, field) => {
    const answer = await sendRaw(app, text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toMatch(/X-Correlation-Id: [0-9a-f-]{36}\r\n/i);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      code: 'INVALID_PARAMS',
      details: [{ field }],
    });
  });
});

/** Writes bytes to a listening app and reads until an answer is whole. */
async function sendRaw(app: NestFastifyApplication, text: string): Promise<string> {
  if (!(app.getHttpServer() as Server).listening) await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      answer += String(chunk);
      if (!answer.endsWith('}')) return;
      socket.destroy();
      resolve(answer);
    });
  });
}

describe('with a token', () => {
  let app: NestFastifyApplication;
  const bearer = { authorization: 'Bearer s3cret' };

  beforeAll(async () => {
    app = await start({ AUTH_TOKEN: 's3cret' }, '{"auth":{"optional_on_loopback":false,"trust_proxy":false}}');
  });
  afterAll(() => app.close());

  it.each([
    ['GET', '/v2/tasks'],
    ['POST', '/v2/tasks'],
    ['GET', '/metrics'],
    ['GET', '/docs'],
    ['GET', '/docs/'],
    ['GET', '/docs-json'],
    ['GET', '/docs/swagger-ui-init.js'],
    ['GET', '/docs/swagger-ui.css'],
    ['GET', '/queues'],
    ['GET', '/queues/'],
    ['GET', '//queues'],
    ['GET', '/%71ueues'],
    ['GET', '/%71ueues/api/queues'],
    ['GET', '/queues/api/queues'],
    ['GET', '/queues/queue/x'],
    ['GET', '/queues/static/js/main.js'],
    ['PUT', '/queues/api/queues/pause'],
    ['PUT', '/queues/api/queues/x/pause'],
    ['OPTIONS', '/v2/tasks'],
    ['GET', '/nothing'],
    ['GET', '/healthz/'],
    ['GET', '/healthz/../metrics'],
    ['GET', '/HEALTHZ'],
    ['GET', '/healthz%2f'],
    ['GET', '/healthz;/metrics'],
  ] as const)('asks for it at %s %s', async (method, url) => {
    const missing = await app.inject({ method, url });
    expect(missing.statusCode).toBe(401);
    expect(missing.headers['www-authenticate']).toBe('Bearer');
    expect(missing.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(missing.json().code).toBe('MISSING_TOKEN');
    const wrong = await app.inject({ method, url, headers: { authorization: 'Bearer wrong' } });
    expect(wrong.statusCode).toBe(401);
    expect(wrong.json().code).toBe('BAD_TOKEN');
  });

  it.each(['/healthz', '/healthz?x=1', '/%68ealthz'])('does not ask for it at %s', async (url) => {
    expect((await app.inject({ url })).statusCode).toBe(200);
  });

  it.each(['/v2/tasks', '/metrics', '/docs', '/docs-json', '/queues', '/queues/api/queues', '/%71ueues'])(
    'serves %s to who has it',
    async (url) => {
      expect((await app.inject({ url, headers: bearer })).statusCode).toBe(200);
    },
  );

  it('asks before it reads a body', async () => {
    const response = await app.inject({
      method: 'POST',
      url: '/v2/tasks',
      payload: 'x',
      headers: { 'content-type': 'text/plain' },
    });
    expect(response.statusCode).toBe(401);
  });

  it('logs the identity, never the token, and the route, never the URL', async () => {
    lines.length = 0;
    await app.inject({ url: '/v2/tasks?model_ref=private', headers: bearer });
    expect(lines.join('')).toContain('"identity":"token:');
    expect(lines.join('')).not.toMatch(/s3cret|private/);
  });
});

describe('across origins', () => {
  it('answers a preflight without a token, and lets a page read our headers', async () => {
    const app = await start(
      { AUTH_TOKEN: 's3cret' },
      '{"server":{"bind":"127.0.0.1:0","body_limit_bytes":4096,"cors_origins":["https://app.example"]}}',
    );
    const headers = {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    };
    const preflight = await app.inject({ method: 'OPTIONS', url: '/v2/tasks', headers });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(preflight.headers['x-correlation-id']).toBeDefined();
    const stream = await app.inject({
      url: '/v2/stream',
      headers: { origin: 'https://app.example', authorization: 'Bearer s3cret' },
    });
    expect(stream.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(stream.headers['access-control-expose-headers']).toContain('X-Correlation-Id');
    const foreign = await app.inject({
      method: 'OPTIONS',
      url: '/v2/tasks',
      headers: { ...headers, origin: 'https://evil.example' },
    });
    expect(foreign.headers['access-control-allow-origin']).not.toBe('https://evil.example');
    await app.close();
  });
});
