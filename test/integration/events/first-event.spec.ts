import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Line, PoolQueue } from '../../../src/modules/admission/index.js';
import { encodeFrame, endTemplate, EventLog, metricsTemplate } from '../../../src/modules/events/index.js';
import { workersKey } from '../../../src/modules/pools/index.js';
import { freshRedis } from '../../support/stores.js';

const noShare = { slots: 0, between: 0, maxWaitMs: 0, runPrefix: '{orchd}:run:' };
const clock = { now: () => 1_700_000_000_000 };
const canceled = endTemplate({ finish_reason: 'canceled', canceled: true });

let store: Awaited<ReturnType<typeof freshRedis>>;
let log: EventLog;

beforeAll(async () => {
  store = await freshRedis();
  log = new EventLog(store.redis, clock, 60, null);
});

beforeEach(() => store.redis.flushall());

afterAll(() => store.drop());

/** A frame as long as those of a busy pool. */
function startedFrame(taskId: string): string {
  const place = { queue_position: 3098, predicted_start_ms: 23_877_520, predicted_start_p90_ms: 54_478_353 };
  const where = { pool_id: 'default', model_ref: 'default', engine: 'llamacpp' };
  return encodeFrame(1, 'started', JSON.stringify({ task_id: taskId, ...place, ...where }));
}

async function open(about: { readonly request?: string; readonly floorId?: number } = {}): Promise<string> {
  const taskId = randomUUID();
  const task = { taskId, attempts: 0, startedFrame: startedFrame(taskId), hubId: null };
  await log.open({ request: '{}', ...task, ...about });
  return taskId;
}

/** What a reader gets who has seen the events up to an id: ids and bytes. */
async function seen(taskId: string, afterId: number): Promise<{ ids: number[]; text: string }> {
  const { chunks = [] } = (await log.read(taskId, afterId + 1, 100, 'hub')) ?? {};
  return {
    ids: chunks.map(({ last }) => last),
    text: chunks.map(({ plain }) => plain.toString('utf8')).join(''),
  };
}

describe('the first event of a task that waits', () => {
  it('is there for every reader, once, though no stream is', async () => {
    const taskId = await open();
    for (const _ of ['first', 'second']) {
      expect(await seen(taskId, 0)).toEqual({ ids: [1], text: startedFrame(taskId) });
    }
    expect(await seen(taskId, 1)).toEqual({ ids: [], text: '' });
    expect(await store.redis.exists(`{orchd}:events:${taskId}`)).toBe(0);
  });

  it.each([
    ['its end', (taskId: string) => log.close(taskId, canceled)],
    [
      'what it is told',
      (taskId: string) =>
        log.tellWaiting([{ taskId, toldBefore: '', told: '1', frame: metricsTemplate({ queue_position: 1 }) }]),
    ],
  ])('stands before %s, and nobody sees it twice', async (_, write) => {
    const taskId = await open();
    await write(taskId);
    const { ids, text } = await seen(taskId, 0);
    expect(ids).toEqual([1, 2]);
    expect(text.startsWith(startedFrame(taskId))).toBe(true);
    expect((await seen(taskId, 1)).ids).toEqual([2]);
    expect((await log.readAll(taskId)).map(({ first }) => first)[0]).toBe(1);
  });

  it('is that of its own task where many logs are opened at once, whatever else is noted of each', async () => {
    const logs = Array.from({ length: 40 }, (_, place) => {
      const taskId = randomUUID();
      return {
        taskId,
        attempts: place % 3,
        request: `{"place":${place}}`,
        startedFrame: startedFrame(taskId),
        hubId: place % 2 === 0 ? null : `hub${place}`,
        marks: place % 4 === 0 ? [] : ['mask', String(place), 'kv', '7'],
        floorId: place % 5 === 0 ? 100 + place : 0,
      };
    });
    const again = logs[7];
    if (again === undefined) throw new Error('no such log');
    expect(await Promise.all([...logs, again].map((one) => log.open(one)))).toEqual([...logs.map(() => true), false]);
    for (const { taskId, attempts, request, hubId, marks, floorId } of logs) {
      const { f, req, n = '0', subs = null, mask, kv } = await store.redis.hgetall(`{orchd}:run:${taskId}`);
      expect([f, req, n, subs]).toEqual(['q', request, String(attempts), hubId]);
      expect([mask, kv]).toEqual(marks.length === 0 ? [undefined, undefined] : [marks[1], marks[3]]);
      const { ids, text } = await seen(taskId, 0);
      expect(ids).toEqual(floorId === 0 ? [1] : [1, floorId]);
      expect(text).toBe(startedFrame(taskId));
    }
  });

  it('stays when its log is opened again, or taken for lost in the same moment', async () => {
    const taskId = await open();
    await log.tellWaiting([{ taskId, toldBefore: '', told: '1', frame: metricsTemplate({ queue_position: 1 }) }]);
    await log.open({ taskId, attempts: 0, request: '{}', startedFrame: startedFrame(taskId), hubId: null });
    expect(await log.closeLost({ taskId, attempts: 0 }, canceled)).toMatchObject({ kind: 'kept', fence: 'q' });
    const { ids, text } = await seen(taskId, 0);
    expect(ids).toEqual([1, 2]);
    expect(text.startsWith(startedFrame(taskId))).toBe(true);
  });

  it('leaves the ids free that readers of a lost log may have seen', async () => {
    const taskId = await open({ floorId: 100 });
    await log.close(taskId, canceled);
    expect((await seen(taskId, 1)).ids).toEqual([100, 101]);
    expect((await seen(taskId, 0)).ids[0]).toBe(1);
  });
});

describe('a task that waits', () => {
  it('takes less than 2 kB of Redis beside its prompt', async () => {
    const count = 300;
    const prompt = 'x'.repeat(1000);
    const told = {
      since_ms: clock.now(),
      median_ms: 23_877_520,
      p90_ms: 54_478_353,
      model_ms: 23_877_520,
      spread: 0.35,
    };
    const about = { correlation_id: randomUUID(), priority: 'interactive', told };
    const request = JSON.stringify({ workload: 'completion', prompt, max_tokens: 256, ...about });
    const line = new Line(store.redis, clock);
    const queue = new PoolQueue('p', store.redis);
    const bounds = { capacity: null, classCapacity: null, makesRoom: false, slots: 1, share: noShare, leaseKeys: [] };
    for (let nth = 0; nth < count; nth++) {
      const taskId = await open({ request });
      const entry = { taskId, poolId: 'p', priority: 'interactive' as const, expectedTokens: 256 };
      await line.enter(entry, { ...bounds, workersKey: workersKey('p') });
      await queue.offer(taskId, 'interactive');
    }
    await queue.limitConcurrency(1);
    await queue.close();
    const keys = await store.redis.keys('*');
    const tickets = keys.filter((key) => /pool-p:[0-9a-f-]{36}$/.test(key));
    const encodings = await Promise.all(tickets.map((key) => store.redis.object('ENCODING', key)));
    expect(new Set(encodings)).toEqual(new Set(['listpack']));
    const sizes = await Promise.all(keys.map((key) => store.redis.memory('USAGE', key, 'SAMPLES', 0)));
    // Two places of the table of keys belong to each task, sixteen bytes each at the most.
    const each = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) / count + 2 * 16;
    expect(each - prompt.length).toBeLessThan(2048);
  });
});
