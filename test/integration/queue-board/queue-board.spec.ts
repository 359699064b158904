import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/platform/config/load-config.js';
import { createHttpApp } from '../../../src/platform/http/http-app.js';
import { createLog } from '../../../src/platform/observability/logger.js';
import { mountQueueBoard } from '../../../src/platform/queue-board/queue-board.js';
import { freshRedis } from '../../support/stores.js';

@Module({})
class EmptyModule {}

const queues: Queue[] = [];
let app: NestFastifyApplication;
let redis: Awaited<ReturnType<typeof freshRedis>>;

beforeAll(async () => {
  redis = await freshRedis();
  const loaded = loadConfig({ env: {}, cwd: '/nonexistent' });
  if ('problems' in loaded) throw new Error('the demonstration configuration is refused');
  app = await createHttpApp(EmptyModule, loaded.config, createLog({ level: 'silent', color: false }));
  mountQueueBoard(app.getHttpAdapter().getInstance(), () => queues);
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});

afterAll(async () => {
  await app.close();
  await Promise.all(queues.map((queue) => queue.close()));
  await redis.drop();
});

const read = async (url: string) =>
  (await app.inject({ url })).json() as { queues: { name: string; readOnlyMode: boolean }[] };

describe('the queue board', () => {
  it('shows queues that were added after it was mounted', async () => {
    expect((await read('/queues/api/queues')).queues).toEqual([]);
    const queue = new Queue('pool-default', { connection: { url: redis.url } });
    await queue.add('task', { task_id: 'x' }, { priority: 1 });
    queues.push(queue);
    expect((await read('/queues/api/queues')).queues).toMatchObject([{ name: 'pool-default', readOnlyMode: true }]);
  });

  it.each([
    ['PUT', '/queues/api/queues/pause'],
    ['PUT', '/queues/api/queues/pool-default/pause'],
    ['PUT', '/queues/api/queues/pool-default/empty'],
    ['POST', '/queues/api/queues/pool-default/add'],
    ['PATCH', '/queues/api/queues/pool-default/1/update-data'],
  ] as const)('changes nothing: %s %s', async (method, url) => {
    const response = await app.inject({ method, url, payload: {} });
    expect([response.statusCode, response.json().code]).toEqual([404, 'NOT_FOUND']);
    expect(await queues[0]?.isPaused()).toBe(false);
    expect(await queues[0]?.getJobCountByTypes('prioritized')).toBe(1);
  });

  it('serves a page whose scripts load', async () => {
    const page = await app.inject({ url: '/queues' });
    expect(page.headers['content-type']).toContain('text/html');
    expect(page.body).toContain('<base href="/queues/"');
    const scripts = [...page.body.matchAll(/(?:src|href)="([^"]*static\/[^"]+)"/g)].map((match) => match[1] ?? '');
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts) {
      const url = new URL(script, 'http://localhost/queues/').pathname;
      expect([url, (await app.inject({ url })).statusCode]).toEqual([url, 200]);
    }
  });

  it('answers an unknown queue with our envelope or its own 404, never a 500', async () => {
    const response = await app.inject({ url: '/queues/api/queues/nothing/workers' });
    expect(response.statusCode).toBe(404);
  });
});
