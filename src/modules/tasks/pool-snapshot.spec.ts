import { expect, it } from 'vitest';
import { unmeasured, type LivePool } from '../pools/index.js';
import { StartForecasts } from './pool-snapshot.js';

const depthOf = (interactive: number) => ({
  interactive,
  batch: 0,
  tokens: 0,
  tokensOf: { interactive: 0, batch: 0 },
});
const pool = {
  config: { id: 'p', admission: { start_hint_ms: 1000, batch_share: 0 } },
  replicas: [],
  slots: 1,
  perf: unmeasured,
  leases: new Map([['r', 1]]),
  running: [],
} as unknown as LivePool;
const task = { priority: 'interactive', tokens: 10 } as const;

it('predicts anew when the line or the slots are others, or a moment has passed', () => {
  const forecasts = new StartForecasts();
  const depth = depthOf(3);
  const first = forecasts.of(pool, depth, { ...task, nowMs: 0 });
  expect(forecasts.of(pool, depth, { ...task, nowMs: 100 })).toBe(first);
  expect(forecasts.of(pool, depth, { ...task, priority: 'batch', nowMs: 100 })).not.toBe(first);
  expect(forecasts.of(pool, depth, { ...task, nowMs: 101 })).not.toBe(first);
  expect(forecasts.of({ ...pool, leases: new Map() }, depth, { ...task, nowMs: 101 }).medianMs).toBe(3000);
  expect(forecasts.of(pool, depthOf(7), { ...task, nowMs: 101 }).medianMs).toBe(8000);
  const free = { ...pool, leases: new Map<string, number>() };
  expect(forecasts.of(free, depthOf(0), { ...task, nowMs: 101 }).medianMs).toBe(0);
  const taken = { ...free, slots: 2, leases: new Map([['r', 2]]) };
  expect(forecasts.of(taken, depthOf(7), { ...task, nowMs: 101 }).medianMs).toBe(4000);
});
