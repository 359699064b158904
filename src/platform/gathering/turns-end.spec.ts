import { setImmediate as turnsEnd } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { atTurnsEnd } from './turns-end.js';

describe('atTurnsEnd', () => {
  it('runs tasks in their order, when the turn is over', async () => {
    const ran: string[] = [];
    atTurnsEnd(() => ran.push('first'));
    atTurnsEnd(() => ran.push('second'));
    await Promise.resolve();
    expect(ran).toEqual([]);
    await turnsEnd();
    expect(ran).toEqual(['first', 'second']);
  });

  it('runs what tasks leave for the end of the turn in the same go, behind all others', () => {
    const ran: string[] = [];
    const atEnd = collectImmediates(() => {
      atTurnsEnd(() => {
        ran.push('calls');
        atTurnsEnd(() => ran.push('their connection'));
      });
      atTurnsEnd(() => ran.push('another'));
    });
    expect(atEnd).toHaveLength(1);
    atEnd[0]?.();
    expect(ran).toEqual(['calls', 'another', 'their connection']);
  });

  it('lets the others run when one throws, and the fault be seen', () => {
    const ran: string[] = [];
    const atEnd = collectImmediates(() => {
      atTurnsEnd(() => {
        throw new Error('broken');
      });
      atTurnsEnd(() => ran.push('other'));
    });
    const next = collectImmediates(() => {
      expect(() => atEnd[0]?.()).toThrow('broken');
    });
    expect(ran).toEqual([]);
    next[0]?.();
    expect(ran).toEqual(['other']);
  });
});

/** What is left to Node for the end of the turn while `run` runs, instead of being run. */
function collectImmediates(run: () => void): (() => void)[] {
  const collected: (() => void)[] = [];
  const spy = vi.spyOn(globalThis, 'setImmediate').mockImplementation(((task: () => void) => {
    collected.push(task);
  }) as unknown as typeof setImmediate);
  run();
  spy.mockRestore();
  return collected;
}
