import { describe, expect, it } from 'vitest';
import { usedBy } from './turn-usage.js';

const turn = {
  session_id: '5b0f2a6e-4c1d-4c9f-9a57-0d3b1f6c2e88',
  generation: 'g',
  tokens: 100,
  time_ms: 500,
  cost_nano: 1000,
  price_in_nano: 2,
  price_out_nano: 3,
};
const completed = { tokensIn: 10, tokensOut: 20, decodeTimeMs: 70, startedMs: 1000, endedMs: 2000 };

describe('what a turn has used', () => {
  it('is prompt and completion, the time of the run, and their price', () => {
    expect(usedBy(turn, completed)).toEqual({ tokens: 30, timeMs: 70, costNano: 80 });
  });

  it('is nothing for a task that never began', () => {
    const never = { tokensIn: null, tokensOut: null, decodeTimeMs: null, startedMs: null, endedMs: 2000 };
    expect(usedBy(turn, never)).toEqual({ tokens: 0, timeMs: 0, costNano: 0 });
  });

  it('is at most the reserved time for a run that nobody timed', () => {
    const failed = { ...completed, decodeTimeMs: null };
    expect(usedBy(turn, failed).timeMs).toBe(500);
    expect(usedBy(turn, { ...failed, endedMs: 1200 }).timeMs).toBe(200);
    expect(usedBy({ ...turn, time_ms: null }, failed).timeMs).toBe(1000);
  });
});
