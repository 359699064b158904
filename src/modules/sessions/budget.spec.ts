import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poolConfig } from '../../contract/config.js';
import { costOf, leftOf, tokenPrice } from './budget.js';

const price = (per_1k_tokens_in: number, per_1k_tokens_out: number) =>
  tokenPrice(
    poolConfig.parse({
      id: 'p',
      engine: { id: 'llamacpp' },
      model: { ref: 'm' },
      price: { per_1k_tokens_in, per_1k_tokens_out },
    }).price,
  );

describe('costs', () => {
  it('are sums without a rest: as much for many turns as for all of their tokens at once', () => {
    const turn = fc.tuple(fc.nat(100_000), fc.nat(100_000));
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 50 }), fc.double({ min: 0, max: 1000, noNaN: true }), (turns, per) => {
        const of = price(per, per * 2 > 1000 ? per : per * 2);
        const apart = turns.reduce((sum, [asked, answered]) => sum + costOf(of, asked, answered), 0);
        const total = (place: 0 | 1): number => turns.reduce((sum, turn_) => sum + turn_[place], 0);
        expect(apart).toBe(costOf(of, total(0), total(1)));
        expect(Number.isSafeInteger(apart)).toBe(true);
      }),
    );
  });

  it('follow the price of a thousand tokens', () => {
    expect(costOf(price(0.5, 1.5), 1000, 2000)).toBe(3_500_000_000);
  });
});

describe('what is left', () => {
  it('is never below nothing, and unlimited where there is no budget', () => {
    const taken = { tokens: 12, timeMs: 5, costNano: 7 };
    expect(leftOf({ tokens: 10, timeMs: 9, costNano: null }, taken)).toEqual({ tokens: 0, timeMs: 4, costNano: null });
  });
});
