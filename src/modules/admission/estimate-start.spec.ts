import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateStartMs, type StartFacts } from './estimate-start.js';

function facts(changes: Partial<StartFacts> = {}): StartFacts {
  return {
    position: 0,
    slots: 2,
    freeSlots: 0,
    tokensAhead: 0,
    tokensPerS: 10,
    firstTokenMs: 100,
    taskTokens: 50,
    hintMs: 1000,
    ...changes,
  };
}

describe('estimating when a task starts', () => {
  it('says at once when a slot is free and nobody is ahead', () => {
    expect(estimateStartMs(facts({ freeSlots: 1 }))).toBe(0);
    expect(estimateStartMs(facts({ freeSlots: 1, tokensPerS: null }))).toBe(0);
  });

  it('shares the measured work ahead among the slots, and adds what the first of the running tasks still needs', () => {
    // 100 tokens at 10/s and two prompts of 100 ms are 10,200 ms of work for two slots; of two runs of 5,100 ms one ends after 1,700.
    expect(estimateStartMs(facts({ position: 2, tokensAhead: 100 }))).toBe(5100 + 1700);
    expect(estimateStartMs(facts({ position: 0 }))).toBe(1700);
  });

  it('counts with the hint for each place while nothing was measured', () => {
    expect(estimateStartMs(facts({ position: 3, tokensPerS: null }))).toBe(2000);
    expect(estimateStartMs(facts({ position: 0, firstTokenMs: null }))).toBe(500);
    expect(estimateStartMs(facts({ position: 1, tokensPerS: 0, slots: 1 }))).toBe(2000);
  });

  it('is a whole number of milliseconds, and never sooner with more work ahead or fewer slots', () => {
    const measured = fc.option(fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1000, noNaN: true })), {
      nil: null,
    });
    const some = fc.record<StartFacts>({
      position: fc.nat({ max: 1000 }),
      slots: fc.nat({ max: 64 }),
      freeSlots: fc.nat({ max: 4 }),
      tokensAhead: fc.nat({ max: 1e6 }),
      tokensPerS: measured,
      firstTokenMs: measured,
      taskTokens: measured,
      hintMs: fc.nat({ max: 10_000 }),
    });
    fc.assert(
      fc.property(some, fc.nat({ max: 1000 }), (given, more) => {
        const estimate = estimateStartMs(given);
        expect(Number.isSafeInteger(estimate) && estimate >= 0).toBe(true);
        expect(estimateStartMs({ ...given, tokensAhead: given.tokensAhead + more })).toBeGreaterThanOrEqual(estimate);
        expect(estimateStartMs({ ...given, slots: given.slots + more })).toBeLessThanOrEqual(estimate);
      }),
    );
  });
});
