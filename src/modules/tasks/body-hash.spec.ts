import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyHash } from './body-hash.js';

/** The same value with the keys of every object in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, child]) => [key, reversed(child)]));
}

describe('the hash of a request', () => {
  it('does not depend on the order of keys, at any depth', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(bodyHash(reversed(value))).toBe(bodyHash(value));
      }),
    );
    expect(bodyHash({ a: 1, b: { c: 2, d: 3 } })).toBe(bodyHash({ b: { d: 3, c: 2 }, a: 1 }));
  });

  it('takes a field that is undefined for one that is absent', () => {
    expect(bodyHash({ a: 1, b: undefined })).toBe(bodyHash({ a: 1 }));
  });

  it('tells different requests apart', () => {
    const all = [{}, { a: 1 }, { a: '1' }, { a: null }, { a: [1, 2] }, { a: [2, 1] }, { b: 1 }, { a: { b: 1 } }];
    expect(new Set(all.map(bodyHash)).size).toBe(all.length);
  });

  it('is sha256 in hexadecimal', () => {
    expect(bodyHash({ b: [1], a: 'x' })).toBe('6c17667416e4e6be6ecc8334b4bf4c09e6763cb51e57a0fc3e2dfe72ec71fa81');
  });
});
