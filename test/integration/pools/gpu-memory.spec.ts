import { afterAll, beforeAll, expect, it } from 'vitest';
import { GpuMemory } from '../../../src/modules/pools/index.js';
import { freshRedis } from '../../support/stores.js';

let store: Awaited<ReturnType<typeof freshRedis>>;

beforeAll(async () => {
  store = await freshRedis();
});

afterAll(() => store.drop());

const seen = { totalBytes: 24, freeBytes: 7 };

it('what one process sees under replicas the others know, until it is old', async () => {
  let now = 1_000_000;
  const clock = { now: () => now };
  const [beside, far] = [new GpuMemory(store.redis, clock), new GpuMemory(store.redis, clock)];
  await beside.tell('p', new Map([['a', seen]]));
  now += 20_000;
  await beside.tell('p', new Map([['b', { ...seen, freeBytes: 3 }]]));
  await far.refresh('p');
  expect([...far.of('p')]).toEqual([
    ['a', seen],
    ['b', { ...seen, freeBytes: 3 }],
  ]);
  now += 20_000;
  await far.refresh('p');
  expect([...far.of('p').keys()]).toEqual(['b']);
  expect(await store.redis.pttl('{orchd}:gpu-memory:p')).toBeGreaterThan(0);
});

it('what can not be read says nothing', async () => {
  const memory = new GpuMemory(store.redis, { now: () => 5 });
  await store.redis.hset('{orchd}:gpu-memory:q', { a: 'no json', b: '[1]', c: '[-1,0,5]', d: '[2,1,5]' });
  await memory.refresh('q');
  expect([...memory.of('q')]).toEqual([['d', { totalBytes: 2, freeBytes: 1 }]]);
  expect(memory.of('unknown').size).toBe(0);
});
