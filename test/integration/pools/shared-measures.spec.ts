import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PoolPerfRecorder, RunningBoard, startsPerS, unmeasured } from '../../../src/modules/pools/index.js';
import { freshRedis } from '../../support/stores.js';

let store: Awaited<ReturnType<typeof freshRedis>>;

beforeAll(async () => {
  store = await freshRedis();
});

afterAll(() => store.drop());

const aRun = { priority: 'batch', tokensOut: 11, askedTokens: 20, runMs: 1100, firstTokenMs: 100 } as const;

describe('what processes measure of a pool', () => {
  it('adds up, however many processes store at once', async () => {
    const processes = Array.from({ length: 6 }, () => new PoolPerfRecorder(store.redis));
    for (let round = 0; round < 5; round++) {
      for (const process of processes) {
        process.recordRun('p', aRun);
        process.recordStart('p', { priority: 'batch', atMs: 1000, wait: null });
      }
      await Promise.all(processes.map((process) => process.refresh('p')));
    }
    // Who lost the race too often stores with the next refresh.
    for (const process of processes) await process.refresh('p');
    const reader = new PoolPerfRecorder(store.redis);
    await reader.refresh('p');
    const { runMs, tokensPerS, firstTokenMs, starts } = reader.of('p');
    expect(runMs).toMatchObject({ count: 30, mean: 1100 });
    expect([tokensPerS, firstTokenMs]).toEqual([10, 100]);
    expect(starts.batch.faded).toBeCloseTo(30);
    expect(startsPerS(reader.of('p'), 'batch', 31_000)).toBeGreaterThan(0.5);
  });

  it('counts at once where it was measured, and nothing twice when stored', async () => {
    const process = new PoolPerfRecorder(store.redis);
    expect(process.of('q')).toEqual(unmeasured);
    process.recordRun('q', aRun);
    expect(process.of('q').runMs.count).toBe(1);
    const storing = process.refresh('q');
    process.recordRun('q', aRun);
    await storing;
    expect(process.of('q').runMs.count).toBe(2);
    await process.refresh('q');
    await process.refresh('q');
    expect(process.of('q').runMs.count).toBe(2);
  });

  it('begins anew with the fields that an earlier release did not store', async () => {
    await store.redis.hset('{orchd}:perf:old', { version: 3, measures: JSON.stringify({ tokensPerS: 7 }) });
    const process = new PoolPerfRecorder(store.redis);
    await process.refresh('old');
    expect(process.of('old')).toEqual({ ...unmeasured, tokensPerS: 7 });
    process.recordRun('old', aRun);
    await process.refresh('old');
    expect(await store.redis.hget('{orchd}:perf:old', 'version')).toBe('4');
  });
});

describe('the board of running tasks', () => {
  it('shows what all processes run, and forgets a process that has fallen silent', async () => {
    let now = 1_000_000;
    const clock = { now: () => now };
    const [one, two] = ['one', 'two'].map((id) => new RunningBoard(store.redis, clock, id)) as [
      RunningBoard,
      RunningBoard,
    ];
    one.begin('p', 'a', { expectedTokens: 5, startedMs: 999_000 });
    two.begin('p', 'b', { expectedTokens: 7, startedMs: 998_000 });
    expect(one.of('p')).toEqual([{ expectedTokens: 5, startedMs: 999_000 }]);
    await one.refresh('p');
    await two.refresh('p');
    await one.refresh('p');
    expect(one.of('p').map(({ expectedTokens }) => expectedTokens)).toEqual([5, 7]);
    now += 6000;
    await one.refresh('p');
    expect(one.of('p')).toEqual([{ expectedTokens: 5, startedMs: 999_000 }]);
    one.end('p', 'a');
    await one.refresh('p');
    expect(one.of('p')).toEqual([]);
    expect(await store.redis.exists('{orchd}:running:p')).toBe(0);
  });
});
