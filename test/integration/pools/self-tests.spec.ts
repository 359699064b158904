import { afterAll, beforeAll, expect, it } from 'vitest';
import { SelfTests } from '../../../src/modules/pools/index.js';
import { freshRedis } from '../../support/stores.js';

let store: Awaited<ReturnType<typeof freshRedis>>;

beforeAll(async () => {
  store = await freshRedis();
});

afterAll(() => store.drop());

const passed = { url: 'http://a', engine_version: 'b1', passed: true, reason: null, failures: 0, retry_ms: 0 };
const replica = { known: { id: 'r', url: 'http://a' }, engineVersion: 'b1' } as Parameters<SelfTests['of']>[1];

function two(): [SelfTests, SelfTests] {
  return [new SelfTests(store.redis, 'one'), new SelfTests(store.redis, 'two')];
}

it('one process tests at a time, and what it finds counts for all, for this address and version', async () => {
  const [one, two_] = two();
  expect([await one.begin('p', 'r'), await two_.begin('p', 'r')]).toEqual([true, false]);
  await one.end('p', 'r', passed);
  await two_.refresh('p');
  expect(two_.of('p', replica)).toMatchObject({ passed: true, by: 'one' });
  expect(two_.of('p', { ...replica, engineVersion: 'b2' })).toBeNull();
  expect(two_.of('p', { ...replica, known: { ...replica.known, url: 'http://b' } })).toBeNull();
  expect(await two_.begin('p', 'r')).toBe(true);
});

it('only the tester takes its word back', async () => {
  const [one, two_] = two();
  await one.begin('q', 'r');
  await one.end('q', 'r', passed);
  await two_.refresh('q');
  await two_.revoke('q', 'r');
  expect(two_.of('q', replica)).not.toBeNull();
  await one.revoke('q', 'r');
  expect(one.of('q', replica)).toBeNull();
});

it('a test of a replica that was forgotten meanwhile counts for nothing', async () => {
  const [one, two_] = two();
  await one.begin('s', 'r');
  await two_.forget('s', 'r');
  await one.end('s', 'r', passed);
  expect(one.of('s', replica)).toBeNull();
});
