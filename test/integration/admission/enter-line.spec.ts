import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Line, type EntryOutcome, type LineBounds, type LineEntry } from '../../../src/modules/admission/index.js';
import { leaseKey, workersKey } from '../../../src/modules/pools/index.js';
import { freshRedis } from '../../support/stores.js';

const clock = { now: () => 1_700_000_000_000 };
let store: Awaited<ReturnType<typeof freshRedis>>;

beforeAll(async () => {
  store = await freshRedis();
});

afterAll(() => store.drop());

type Class = LineEntry['priority'];

/** Who comes in one turn: tasks of a class, by name. A name may come again, in the same turn or later. */
interface Turn {
  readonly priority: Class;
  readonly names: readonly number[];
}

const someTurns = fc.array(
  fc.record({
    priority: fc.constantFrom<Class>('interactive', 'batch'),
    names: fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }),
  }),
  { minLength: 1, maxLength: 4 },
);

const someBounds = fc.record({
  capacity: fc.option(fc.nat(12)),
  classCapacity: fc.option(fc.nat(8)),
  makesRoom: fc.boolean(),
  slots: fc.nat(3),
  share: fc.record({ slots: fc.nat(2), between: fc.nat(2) }),
});

/** What each is answered, and how the line is in the end, with names for ids. */
async function outcomesOf(turns: readonly Turn[], bounds: LineBounds, isTogether: boolean) {
  await store.redis.flushall();
  await store.redis.zadd(workersKey('p'), clock.now() + 1000, 'worker');
  await store.redis.zadd(leaseKey('p', 'r0'), clock.now() + 1000, `${randomUUID()}:1`);
  const line = new Line(store.redis, clock);
  const outcomes: EntryOutcome[] = [];
  for (const { priority, names } of turns) {
    const entries = names.map((name) => ({
      taskId: `${priority}-${name}`,
      poolId: 'p',
      priority,
      expectedTokens: name + 1,
    }));
    if (isTogether) outcomes.push(...(await Promise.all(entries.map((entry) => line.enter(entry, bounds)))));
    else for (const entry of entries) outcomes.push(await line.enter(entry, bounds));
  }
  return { outcomes, waiting: await line.page('p', 0, 100), depth: await line.depthAndTokens('p') };
}

describe('tasks that enter a line in one turn', () => {
  it('find it as if they had come one after the other, whatever its bounds are', async () => {
    await fc.assert(
      fc.asyncProperty(someTurns, someBounds, async (turns, { share, ...limits }) => {
        const keys = { leaseKeys: [leaseKey('p', 'r0')], workersKey: workersKey('p') };
        const bounds = { ...limits, share: { ...share, maxWaitMs: 0, runPrefix: '{orchd}:run:' }, ...keys };
        expect(await outcomesOf(turns, bounds, true)).toEqual(await outcomesOf(turns, bounds, false));
      }),
      { numRuns: 60 },
    );
  });

  it('are refused one by one where the line is full, with what each found', async () => {
    const keys = { leaseKeys: [], workersKey: workersKey('p') };
    const share = { slots: 0, between: 0, maxWaitMs: 0, runPrefix: '{orchd}:run:' };
    const bounds = { capacity: 3, classCapacity: null, makesRoom: false, slots: 0, share, ...keys };
    const { outcomes, depth } = await outcomesOf([{ priority: 'batch', names: [0, 1, 2, 3, 4] }], bounds, true);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['entered', 'entered', 'entered', 'full', 'full']);
    expect(outcomes.map(({ view }) => view.position)).toEqual([0, 1, 2, 3, 3]);
    expect(depth).toMatchObject({ batch: 3, tokensOf: { interactive: 0, batch: 6 } });
  });
});
