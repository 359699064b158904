import { describe, expect, it } from 'vitest';
import type { LivePool } from '../pools/index.js';
import { fitsReservation } from './session-gate.js';
import type { OpenTask } from './task-record.js';

const poolOf = (ctxMax: number | null): LivePool => ({ ctxMax }) as unknown as LivePool; // Only what is looked at.
const taskOf = (tokens: number | null): Pick<OpenTask, 'request' | 'turn'> => ({
  request: { workload: 'completion', prompt: 'x'.repeat(500), max_tokens: 20 } as OpenTask['request'],
  turn: tokens === null ? null : ({ tokens } as OpenTask['turn']),
});

describe('what was reserved for a turn in one pool', () => {
  it('covers its run in another that reads no more of the prompt', () => {
    expect(fitsReservation(taskOf(120), poolOf(100))).toBe(true);
    expect(fitsReservation(taskOf(120), poolOf(80))).toBe(true);
  });

  it('does not where the context is longer: the session could overspend', () => {
    expect(fitsReservation(taskOf(120), poolOf(101))).toBe(false);
    expect(fitsReservation(taskOf(120), poolOf(null))).toBe(false);
    expect(fitsReservation(taskOf(524), poolOf(null))).toBe(true);
  });

  it('is of no matter to a task without a session', () => {
    expect(fitsReservation(taskOf(null), poolOf(null))).toBe(true);
  });
});
