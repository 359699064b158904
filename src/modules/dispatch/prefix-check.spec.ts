import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PrefixCheck } from './prefix-check.js';

/** Cuts a text at some places. */
function piecesOf(text: string, cuts: readonly number[]): string[] {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].toSorted((a, b) => a - b);
  return places.slice(1).map((to, n) => text.slice(places[n], to));
}

it('lets through exactly what lies behind the prefix, wherever the pieces are cut', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.array(fc.nat()), (prefix, rest, cuts) => {
      const check = new PrefixCheck(prefix);
      const shown = piecesOf(prefix + rest, cuts).map((piece) => check.accept(piece));
      expect(shown.join('')).toBe(rest);
      expect(shown).not.toContain(null);
      expect(check.isPast).toBe(true);
    }),
  );
});

it('lets nothing through that is not what was shown', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), fc.array(fc.nat()), (prefix, place, cuts) => {
      const at = place % prefix.length;
      const wrong = `${prefix.slice(0, at)}${prefix[at] === 'x' ? 'y' : 'x'}${prefix.slice(at + 1)}`;
      const check = new PrefixCheck(prefix);
      const answers = piecesOf(wrong, cuts).map((piece) => check.accept(piece));
      const first = answers.indexOf(null);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(answers.slice(0, first).join('')).toBe('');
    }),
  );
});

it('knows when something is still missing', () => {
  const check = new PrefixCheck('ab');
  expect(new PrefixCheck('').isPast).toBe(true);
  expect([check.accept('a'), check.isPast]).toEqual(['', false]);
  expect([check.accept('bc'), check.isPast]).toEqual(['c', true]);
});
