import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attemptsAfterLoss, begunBy } from './attempt-numbers.js';

const someAttempts = fc.integer({ min: 0, max: 50 });
const someAge = fc.integer({ min: 0, max: 20 * 86_400_000 });

describe('numbers of attempts', () => {
  it('lie above all that were given, over one loss after the other, and say how often the row knows the task was begun', () => {
    const losses = fc.array(fc.record({ unknown: someAttempts, laterMs: fc.integer({ min: 1000, max: 100_000 }) }));
    fc.assert(
      fc.property(someAttempts, someAge, losses, (known, ageMs, all) => {
        let given = known;
        let age = ageMs;
        for (const { unknown, laterMs } of all) {
          const next = attemptsAfterLoss(known, age);
          expect(next).toBeGreaterThan(given);
          expect(begunBy(next)).toBe(known);
          given = next + unknown;
          age += laterMs;
        }
      }),
    );
  });

  it('fit the row, however old the task is, and never fall', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 1e13 }), (known, ageMs) => {
        const next = attemptsAfterLoss(known, ageMs);
        expect(next).toBeGreaterThanOrEqual(known);
        expect(next).toBeLessThan(2 ** 31);
      }),
    );
  });
});
