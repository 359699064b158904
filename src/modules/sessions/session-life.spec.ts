import { describe, expect, it } from 'vitest';
import { stayMsOf } from './session-life.js';

const used = { tokens: 1, timeMs: 1, costNano: 0 };
const ended = (createdMs: number, endedMs: number) => ({ used, createdMs, endedMs });
const open = (createdMs: number) => ({ used: null, createdMs, endedMs: null });

describe('how long a session stays', () => {
  it('is counted from the last time a turn entered or ended', () => {
    expect(stayMsOf([ended(1000, 2000)], 600, 2100)).toBe(500);
    expect(stayMsOf([ended(1000, 5000), ended(2000, 3000)], 600, 5100)).toBe(500);
    expect(stayMsOf([ended(1000, 2000)], 600, 2600)).toBeNull();
  });

  it('is for ever while a turn is open', () => {
    expect(stayMsOf([open(1000), ended(1000, 2000)], 600, 9_000_000)).toBe(600);
  });

  it('is not at all without turns, and never longer than allowed by a clock that was ahead', () => {
    expect(stayMsOf([], 600, 0)).toBeNull();
    expect(stayMsOf([ended(1000, 9000)], 600, 2000)).toBe(600);
  });
});
