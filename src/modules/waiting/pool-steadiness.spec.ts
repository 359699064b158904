import { describe, expect, it } from 'vitest';
import type { LivePool } from '../pools/index.js';
import { PoolSteadiness } from './pool-steadiness.js';

const pool = (ready: boolean): LivePool =>
  ({ config: { id: 'p', admission: { place_again_after_ms: 5000 } }, ready }) as unknown as LivePool; // Only what is looked at.

describe('a pool', () => {
  it('is left once it has not been ready for as long as it is given, and entered once it has been ready as long', () => {
    let now = 0;
    const steadiness = new PoolSteadiness({ now: () => now });
    const look = (ready: boolean) => {
      steadiness.look(pool(ready));
      return { isStuck: steadiness.isStuck(pool(ready)), isSteady: steadiness.isSteady(pool(ready)) };
    };
    expect(look(false)).toEqual({ isStuck: false, isSteady: false });
    now = 4999;
    expect(look(false).isStuck).toBe(false);
    now = 5000;
    expect(look(false)).toEqual({ isStuck: true, isSteady: false });
    expect(look(true)).toEqual({ isStuck: false, isSteady: false });
    now = 10_000;
    expect(look(true)).toEqual({ isStuck: false, isSteady: true });
  });

  it('that comes and goes is neither', () => {
    let now = 0;
    const steadiness = new PoolSteadiness({ now: () => now });
    for (let ready = true; now < 60_000; now += 4000, ready = !ready) {
      steadiness.look(pool(ready));
      expect(steadiness.isStuck(pool(ready)) || steadiness.isSteady(pool(ready))).toBe(false);
    }
  });
});
