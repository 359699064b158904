import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareStandings, meritOver, type Standing } from './standing.js';

const gib = 2 ** 30;

/** Few values, so that ties are frequent. */
const someStanding: fc.Arbitrary<Standing> = fc.record({
  id: fc.constantFrom('a', 'b', 'c'),
  isHome: fc.boolean(),
  completionMs: fc.constantFrom(null, 0, 1.5, 1000, Number.MAX_VALUE),
  isGuess: fc.boolean(),
  isBusy: fc.boolean(),
  vramFreeBytes: fc.constantFrom(null, 0, gib - 1, gib, 1.9 * gib, 80 * gib),
  load: fc.constantFrom(0, 0.25, 1, 7),
});

describe('the order of standings is total', () => {
  it('is antisymmetric: of two, each is behind the other the other way round', () => {
    fc.assert(
      fc.property(someStanding, someStanding, (a, b) => {
        expect(Math.sign(compareStandings(a, b))).toBe(-Math.sign(compareStandings(b, a)) + 0);
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(someStanding, someStanding, someStanding, (a, b, c) => {
        fc.pre(compareStandings(a, b) <= 0 && compareStandings(b, c) <= 0);
        expect(compareStandings(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  it('is connected: those of different ids are never equal, and it can be said why', () => {
    fc.assert(
      fc.property(someStanding, someStanding, (a, b) => {
        fc.pre(a.id !== b.id);
        const sign = compareStandings(a, b);
        expect(sign).not.toBe(0);
        expect(meritOver(sign < 0 ? a : b, sign < 0 ? b : a)).not.toBe('');
      }),
    );
  });
});
