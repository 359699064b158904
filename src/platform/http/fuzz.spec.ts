import { Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorEnvelope } from '../../contract/errors.js';
import { taskRequest, type TaskRequest } from '../../contract/task-request.js';
import { taskListQuery, taskParams } from '../../contract/task-response.js';
import { loadConfig } from '../config/load-config.js';
import { createLog } from '../observability/logger.js';
import { createHttpApp } from './http-app.js';
import { ValidBody, ValidParams, ValidQuery } from './validated.js';

@Controller('/v2/tasks')
class TasksEdge {
  @Post()
  @HttpCode(202)
  submit(@ValidBody(taskRequest) request: TaskRequest): unknown {
    return request;
  }

  @Get()
  list(@ValidQuery(taskListQuery) query: unknown): unknown {
    return query;
  }

  @Get(':id')
  read(@ValidParams(taskParams) params: unknown): unknown {
    return params;
  }
}

@Module({ controllers: [TasksEdge] })
class EdgeModule {}

let app: NestFastifyApplication;

beforeAll(async () => {
  const loaded = loadConfig({ env: {}, cwd: '/nonexistent' });
  if ('problems' in loaded) throw new Error('the demonstration configuration is refused');
  app = await createHttpApp(EdgeModule, loaded.config, createLog({ level: 'silent', color: false }));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});
afterAll(() => app.close());

/** Good, or refused by the envelope with a status of the client's: never our fault. */
async function isAnswered(request: Parameters<NestFastifyApplication['inject']>[0]): Promise<boolean> {
  const response = await app.inject(request as { url: string });
  if (response.statusCode < 300) return true;
  const envelope = errorEnvelope.safeParse(response.json());
  return (
    response.statusCode < 500 &&
    envelope.success &&
    envelope.data.correlation_id === response.headers['x-correlation-id']
  );
}

const json = { 'content-type': 'application/json' };
const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('\0', '\ud800', '__proto__', '', 1e308, -1, 0.5, 'x'.repeat(2000)),
);
const key = fc.oneof(
  fc.constantFrom(
    ...Object.keys(taskRequest.shape),
    'temperature',
    'top_p',
    'stop',
    'json_schema',
    'mode',
    '__proto__',
    'constructor',
  ),
  fc.string(),
);

describe('the edge', () => {
  it('answers any body', async () => {
    const bodies = fc.oneof(
      fc.dictionary(key, fc.oneof(odd, fc.dictionary(key, odd))),
      odd,
      fc.record({
        workload: fc.constant('completion'),
        model_ref: odd,
        prompt: odd,
        max_tokens: odd,
        sampling: fc.dictionary(key, odd),
      }),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        expect(
          await isAnswered({ method: 'POST', url: '/v2/tasks', headers: json, payload: JSON.stringify(body) }),
        ).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('answers any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        expect(await isAnswered({ method: 'POST', url: '/v2/tasks', headers: json, payload: Buffer.from(bytes) })).toBe(
          true,
        );
      }),
      { numRuns: 200 },
    );
  });

  it('answers any path and query', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }).map(encodeURIComponentSafely),
      fc.constantFrom('%00', '%', '%zz', '..', '//'),
    );
    await fc.assert(
      fc.asyncProperty(part, part, async (path, query) => {
        expect(await isAnswered({ method: 'GET', url: clean(`/v2/tasks/${path}?${query}`) })).toBe(true);
        expect(await isAnswered({ method: 'GET', url: clean(`/v2/tasks?model_ref=${query}&${path}`) })).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('answers any correlation id and content type', async () => {
    const header = fc.string({
      unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)),
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(header, header, async (id, type) => {
        const headers = { 'x-correlation-id': id, 'content-type': type };
        expect(await isAnswered({ method: 'POST', url: '/v2/tasks', headers, payload: '{}' })).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, ''));
}

/** What Node's parser would refuse before us. */
function clean(url: string): string {
  return url.replaceAll(/[^\x21-\x7e]/g, '');
}
