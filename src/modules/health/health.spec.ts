import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../platform/config/load-config.js';
import { createHttpApp } from '../../platform/http/http-app.js';
import { createLog } from '../../platform/observability/logger.js';
import { HealthModule } from './health.module.js';
import type { HealthProbe } from './health-probe.js';

let app: NestFastifyApplication;

afterEach(() => app.close());

async function start(probes: readonly HealthProbe[]): Promise<void> {
  @Module({ imports: [HealthModule.register({ useFactory: () => probes })] })
  class ProbeModule {}
  const loaded = loadConfig({ env: {}, cwd: '/nonexistent' });
  if ('problems' in loaded) throw new Error('the demonstration configuration is refused');
  app = await createHttpApp(ProbeModule, loaded.config, createLog({ level: 'silent', color: false }));
  await app.init();
}

const probe = (name: string, check: HealthProbe['check'] = async () => {}): HealthProbe => ({ name, check });

describe('health', () => {
  it('is live whatever its stores do, and ready when they answer', async () => {
    await start([probe('postgres'), probe('redis')]);
    expect((await app.inject({ url: '/healthz' })).json()).toEqual({ status: 'ok' });
    const ready = await app.inject({ url: '/readyz' });
    expect([ready.statusCode, ready.json().status]).toEqual([200, 'ok']);
    expect(ready.json().info).toMatchObject({ postgres: { status: 'up' }, redis: { status: 'up' } });
  });

  it('tells in words which checks fail and why, without waiting for those that hang', async () => {
    let aborted = false;
    await start([
      probe('postgres', async () => {
        throw new Error('cannot connect to postgres://user:pw@db:5432\nstack');
      }),
      probe('redis', (signal) => {
        signal.addEventListener('abort', () => (aborted = true));
        return new Promise(() => {});
      }),
      probe('queues'),
    ]);
    const begun = Date.now();
    const response = await app.inject({ url: '/readyz' });
    expect(Date.now() - begun).toBeLessThan(3000);
    expect(aborted).toBe(true);
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({
      code: 'UNAVAILABLE',
      retriable: true,
      message: 'Not ready: postgres cannot connect to postgres://db:5432; redis does not answer within 1000 ms.',
      details: [
        { field: 'postgres', problem: 'cannot connect to postgres://db:5432' },
        { field: 'redis', problem: 'does not answer within 1000 ms' },
      ],
    });
    expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200);
  });
});
