import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRestart, defaultRestart, type LossRecord } from './restart-policy.js';

const settings = { ...defaultRestart, stormLosses: 100 };

describe('decideRestart', () => {
  it('doubles the bound with each loss, up to the cap', () => {
    const delays: number[] = [];
    let record: LossRecord = [];
    for (let loss = 0; loss < 9; loss += 1) {
      const decision = decideRestart(record, { nowMs: loss * 1000, readyForMs: 0, random: 1 }, settings);
      record = decision.record;
      delays.push(decision.delayMs);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('begins anew after a stable run', () => {
    const record = [1, 2, 3, 4];
    const loss = { nowMs: 100_000, readyForMs: settings.stableMs, random: 1 };
    expect(decideRestart(record, loss, settings)).toMatchObject({ delayMs: 500, record: [100_000] });
  });

  it('forgets losses outside the window', () => {
    const loss = { nowMs: 1_000_000, readyForMs: 0, random: 1 };
    expect(decideRestart([1, 2, 3], loss, settings)).toMatchObject({ delayMs: 500 });
  });

  it('rests long after a storm, then counts from nothing', () => {
    const decision = decideRestart([1, 2, 3, 4, 5], { nowMs: 6, readyForMs: 0, random: 0 }, defaultRestart);
    expect(decision).toEqual({ delayMs: 150_000, isStorm: true, record: [] });
  });

  it('never waits longer than the cap without a storm, nor less than nothing', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 200 }), random, (losses, value) => {
        const loss = { nowMs: 1000, readyForMs: 0, random: value };
        const decision = decideRestart(losses, loss, { ...settings, stormLosses: 1000 });
        expect(decision.delayMs).toBeGreaterThanOrEqual(0);
        expect(decision.delayMs).toBeLessThanOrEqual(settings.capMs);
      }),
    );
  });
});
