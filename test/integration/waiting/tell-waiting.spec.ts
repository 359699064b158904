import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Line } from '../../../src/modules/admission/index.js';
import { endTemplate, EventLog } from '../../../src/modules/events/index.js';
import {
  leaseKey,
  unmeasured,
  workersKey,
  type LivePool,
  type PoolRegistry,
} from '../../../src/modules/pools/index.js';
import { overdueShare } from '../../../src/modules/tasks/index.js';
import { LookAtLine, TellWaiting } from '../../../src/modules/waiting/index.js';
import { freshRedis } from '../../support/stores.js';

const pauseMs = 1000;
const leaseMs = 4000;
const slots = 2;
const canceled = endTemplate({ finish_reason: 'canceled', canceled: true });

let store: Awaited<ReturnType<typeof freshRedis>>;
let nowMs = 0;
const clock = { now: () => nowMs };

beforeAll(async () => {
  store = await freshRedis();
});

beforeEach(async () => {
  await store.redis.flushall();
  nowMs = 1_700_000_000_000;
});

afterAll(() => store.drop());

const keys = { leaseKeys: [leaseKey('p', 'r0')], workersKey: workersKey('p') };
const pool = {
  config: { id: 'p', admission: { start_hint_ms: 1000, batch_share: 0.1, batch_max_wait_ms: 30_000 } },
  ready: true,
  slots,
  running: [],
  perf: unmeasured,
} as unknown as LivePool; // Only what is looked at.

/** What one process has. */
function keeper(processId: string) {
  const pools = { keysOf: () => keys } as unknown as PoolRegistry;
  const log = new EventLog(store.redis, clock, 60, null);
  const lookAtLine = new LookAtLine(store.redis, pools, clock, { processId, leaseMs });
  const tellWaiting = new TellWaiting(log, clock, pauseMs);
  return {
    look: () => lookAtLine.run(pool),
    tell: (look: Awaited<ReturnType<LookAtLine['run']>>) => (look === null ? null : tellWaiting.run(pool, look, false)),
    turn: async () => {
      const look = await lookAtLine.run(pool);
      if (look !== null) await tellWaiting.run(pool, look, false);
      return look;
    },
    log,
  };
}

/** @param hubId who follows; null: nobody */
async function enter(priority: 'interactive' | 'batch', hubId: string | null): Promise<string> {
  const taskId = randomUUID();
  const bounds = { capacity: null, classCapacity: null, makesRoom: false, slots, share: overdueShare(pool), ...keys };
  await new Line(store.redis, clock).enter({ taskId, poolId: 'p', priority, expectedTokens: 5 }, bounds);
  const startedFrame = 'id: 1\nevent: started\ndata: {}\n\n';
  await new EventLog(store.redis, clock, 60, null).open({ taskId, attempts: 0, request: '{}', startedFrame, hubId });
  return taskId;
}

async function framesOf(taskId: string): Promise<Record<string, unknown>[]> {
  const chunks = await new EventLog(store.redis, clock, 60, null).readAll(taskId);
  const text = chunks.map(({ plain }) => plain.toString('utf8')).join('');
  expect([...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))).toEqual(
    [...text.matchAll(/^id: /gm)].map((_, place) => place + 1),
  );
  return [...text.matchAll(/^event: metrics\ndata: (.*)$/gm)].map(
    (match) => JSON.parse(match[1] ?? '') as Record<string, unknown>,
  );
}

describe('looking after a line', () => {
  it('is done by one process, until that is silent for too long', async () => {
    const [first, second] = [keeper('one'), keeper('two')];
    expect(await first.look()).not.toBeNull();
    expect(await second.look()).toBeNull();
    expect(await first.look()).not.toBeNull();
    await store.redis.pexpire('{orchd}:line:p:keeper', 0);
    expect(await second.look()).not.toBeNull();
    expect(await first.look()).toBeNull();
  });

  it('tells those that are followed, once, whatever a process does that was too slow', async () => {
    const taskId = await enter('interactive', 'hub');
    const unread = await enter('interactive', null);
    const [slow, next] = [keeper('one'), keeper('two')];
    const seen = await slow.look();
    await store.redis.del('{orchd}:line:p:keeper');
    await next.turn();
    await slow.tell(seen);
    expect(await framesOf(taskId)).toEqual([{ phase: 'queued', queue_position: 0, queue_depth: 2 }]);
    expect(await framesOf(unread)).toEqual([]);
    nowMs += pauseMs;
    await next.turn();
    expect(await framesOf(taskId)).toHaveLength(1);
  });

  it('tells nothing of a task that has ended or begun since it was seen', async () => {
    const [ended, begun] = [await enter('interactive', 'hub'), await enter('batch', 'hub')];
    const one = keeper('one');
    const seen = await one.look();
    await one.log.close(ended, canceled);
    await store.redis.hset(`{orchd}:run:${begun}`, 'f', 'r1');
    await one.tell(seen);
    expect(await framesOf(ended)).toEqual([]);
    expect(await framesOf(begun)).toEqual([]);
    expect((await one.look())?.tasks).toEqual([]);
  });

  it('says what a newcomer would be told, by class, free slots taken off while a worker lives', async () => {
    const interactive = [
      await enter('interactive', 'hub'),
      await enter('interactive', 'hub'),
      await enter('interactive', 'hub'),
    ];
    const batch = await enter('batch', 'hub');
    const one = keeper('one');
    await one.turn();
    const positions = async (): Promise<unknown[]> =>
      Promise.all([...interactive, batch].map(async (taskId) => (await framesOf(taskId)).at(-1)?.['queue_position']));
    expect(await positions()).toEqual([0, 1, 2, 3]);
    await store.redis.zadd(workersKey('p'), nowMs + 60_000, 'w');
    await store.redis.zadd(leaseKey('p', 'r0'), nowMs + 60_000, 'busy:1');
    nowMs += pauseMs;
    await one.turn();
    expect(await positions()).toEqual([0, 0, 1, 2]);
  });

  it('counts a batch task that has waited too long before those who entered sooner, as admission does', async () => {
    const tasks = [await enter('interactive', 'hub'), await enter('interactive', 'hub'), await enter('batch', 'hub')];
    await store.redis.hset('{orchd}:line:p:sums', 'passed', 100);
    const one = keeper('one');
    const positions = async (): Promise<unknown[]> =>
      Promise.all(tasks.map(async (taskId) => (await framesOf(taskId)).at(-1)?.['queue_position']));
    await one.turn();
    expect(await positions()).toEqual([0, 1, 2]);
    nowMs += 30_000;
    await one.turn();
    expect(await positions()).toEqual([1, 2, 0]);
    const bounds = { capacity: null, classCapacity: null, makesRoom: false, slots, ...keys, share: overdueShare(pool) };
    const newcomer = { taskId: randomUUID(), poolId: 'p', priority: 'interactive', expectedTokens: 5 } as const;
    expect((await new Line(store.redis, clock).foresee(newcomer, bounds)).view.position).toBe(3);
  });

  it('says so when one ahead is dropped for a newcomer, and nothing more to the one who was', async () => {
    const [oldest, next] = [await enter('batch', 'hub'), await enter('batch', 'hub')];
    const one = keeper('one');
    await one.turn();
    const bounds = { capacity: 2, classCapacity: null, makesRoom: true, slots, share: overdueShare(pool), ...keys };
    const newcomer = { taskId: randomUUID(), poolId: 'p', priority: 'batch', expectedTokens: 5 } as const;
    expect(await new Line(store.redis, clock).enter(newcomer, bounds)).toMatchObject({ droppedTaskId: oldest });
    nowMs += pauseMs;
    await one.turn();
    expect((await framesOf(next)).map((frame) => frame['queue_position'])).toEqual([1, 0]);
    expect(await framesOf(oldest)).toHaveLength(1);
  });

  it('costs a bounded number of frames a turn, however many wait, and leaves nobody out', async () => {
    const many = 750;
    const all: string[] = [];
    for (let n = 0; n < many; n++) all.push(await enter(n % 2 === 0 ? 'interactive' : 'batch', 'hub'));
    const one = keeper('one');
    const told = async (): Promise<number> => {
      const logs = await Promise.all(all.map((taskId) => store.redis.xlen(`{orchd}:events:${taskId}`)));
      return logs.filter((length) => length > 1).length;
    };
    const look = await one.turn();
    expect(look?.tasks).toHaveLength(256);
    expect(await told()).toBe(256);
    for (let turn = 0; turn < 4; turn++) await one.turn();
    expect(await told()).toBe(many);
  });
});
