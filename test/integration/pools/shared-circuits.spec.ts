import { afterAll, beforeAll, expect, it } from 'vitest';
import { SharedCircuits } from '../../../src/modules/pools/index.js';
import { freshRedis } from '../../support/stores.js';
import { waitUntil } from '../../support/wait-until.js';

let store: Awaited<ReturnType<typeof freshRedis>>;

beforeAll(async () => {
  store = await freshRedis();
});

afterAll(() => store.drop());

const open = { sinceMs: 1, untilMs: 2, trips: 1, reason: 'lost' };

it('what one process finds counts there at once, and for the others when they look', async () => {
  const [one, other] = [new SharedCircuits(store.redis), new SharedCircuits(store.redis)];
  const heard: unknown[] = [];
  one.onSet((...what) => heard.push(what));
  one.set('p', 'r', open);
  expect(one.of('p', 'r')).toEqual(open);
  const seen = (circuit: unknown) =>
    waitUntil('the other to see it', async () => {
      await other.refresh('p');
      return JSON.stringify(other.of('p', 'r')) === JSON.stringify(circuit);
    });
  await seen(open);
  expect(other.of('p', 'another')).toBeNull();
  other.set('p', 'r', null);
  await waitUntil('the first to see it closed', async () => {
    await one.refresh('p');
    return one.of('p', 'r') === null;
  });
  expect(heard).toEqual([['p', 'r', open]]);
});

it('a look that was under way when something was set does not undo it', async () => {
  const circuits = new SharedCircuits(store.redis);
  const looking = circuits.refresh('q');
  circuits.set('q', 'r', open);
  await looking;
  expect(circuits.of('q', 'r')).toEqual(open);
});

it('what can not be read is no open circuit', async () => {
  await store.redis.hset('{orchd}:circuit:x', { a: 'no json', b: '{"trips":"many"}', c: JSON.stringify(open) });
  const circuits = new SharedCircuits(store.redis);
  await circuits.refresh('x');
  expect(['a', 'b', 'c'].map((id) => circuits.of('x', id))).toEqual([null, null, open]);
});
