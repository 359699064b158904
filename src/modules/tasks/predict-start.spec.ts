import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LineView } from '../admission/index.js';
import { unmeasured, withRun, withStart, type LivePool, type PoolPerf } from '../pools/index.js';
import { drainMs, roomMs } from './predict-start.js';

const nowMs = 1_000_000_000;
const tokens = 50;
const runMs = 500;

/** Measured on many runs of half a second, the last of which began long ago; somebody has just begun another. */
function measuredLongAgo(): PoolPerf {
  let perf = unmeasured;
  for (let n = 0; n < 60; n++) {
    perf = withStart(perf, { priority: 'interactive', atMs: nowMs - 3_600_000 + n * runMs, wait: null });
    const run = { priority: 'interactive', tokensOut: tokens, askedTokens: tokens, runMs, firstTokenMs: 20 } as const;
    perf = withRun(perf, run);
  }
  return withStart(perf, { priority: 'interactive', atMs: nowMs, wait: null });
}

const poolOf = (slots: number, perf: PoolPerf): LivePool =>
  ({
    config: { id: 'p', admission: { start_hint_ms: 1000, batch_share: 0 } },
    slots,
    perf,
    running: Array.from({ length: slots }, () => ({ expectedTokens: tokens, startedMs: nowMs })),
  }) as unknown as LivePool;

const lineOf = (interactive: number, batch: number, busySlots: number): LineView => ({
  position: interactive + batch,
  waiting: { interactive, batch },
  tokens: { interactive: interactive * tokens, batch: batch * tokens },
  busySlots,
});

describe('saying when a full line has room', () => {
  it('says when a slot comes free, however long nobody had started before', () => {
    const pool = poolOf(1, measuredLongAgo());
    const none = { capacity: 0, classCapacity: null };
    expect(roomMs(pool, lineOf(0, 0, 1), 'interactive', none, nowMs)).toBeGreaterThanOrEqual(runMs - 50);
    expect(roomMs(pool, lineOf(0, 0, 1), 'interactive', none, nowMs)).toBeLessThan(2 * runMs);
    expect(drainMs(pool, nowMs)).toBeLessThan(2 * runMs);
  });

  it('goes by the hint for each start before anything was measured', () => {
    const pool = poolOf(2, unmeasured);
    const bounds = { capacity: 4, classCapacity: null };
    expect(roomMs(pool, lineOf(4, 0, 2), 'interactive', bounds, nowMs)).toBe(500);
    expect(roomMs(pool, lineOf(6, 0, 2), 'batch', bounds, nowMs)).toBe(1500);
  });

  it('waits for all interactive tasks where batch has no room of its own', () => {
    const pool = poolOf(1, measuredLongAgo());
    const bounds = { capacity: 100, classCapacity: 2 };
    const ms = roomMs(pool, lineOf(10, 2, 1), 'batch', bounds, nowMs);
    expect(ms).toBeGreaterThan(10 * runMs);
    expect(roomMs(pool, lineOf(2, 10, 1), 'interactive', bounds, nowMs)).toBeLessThan(2 * runMs);
  });

  it('says no sooner the fewer may wait, and no later the more slots there are', () => {
    const perf = measuredLongAgo();
    const few = fc.nat({ max: 20 });
    const line = fc.record({ interactive: few, batch: few, capacity: few, slots: fc.integer({ min: 1, max: 6 }) });
    const check = fc.property(line, fc.constantFrom('interactive', 'batch'), (some, priority) => {
      const msOf = (capacity: number, slots: number): number => {
        const view = lineOf(some.interactive, some.batch, slots);
        return roomMs(poolOf(slots, perf), view, priority, { capacity, classCapacity: null }, nowMs);
      };
      const ms = msOf(some.capacity, some.slots);
      expect(ms).toBeGreaterThanOrEqual(msOf(some.capacity + 1, some.slots));
      expect(ms).toBeGreaterThanOrEqual(msOf(some.capacity, some.slots + 1));
    });
    fc.assert(check, { numRuns: 200 });
  });
});
