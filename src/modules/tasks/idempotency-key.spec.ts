import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uuid } from '../../contract/common.js';
import { taskIdOfKey } from './idempotency-key.js';

const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 255,
});

describe('taskIdOfKey', () => {
  it('gives the same caller and key the same task id, and any others another', () => {
    const who = fc.tuple(fc.constantFrom('localhost', 'token:a1', 'token:a2'), visible);
    fc.assert(
      fc.property(who, who, ([caller, key], [otherCaller, otherKey]) => {
        const id = taskIdOfKey(key, caller);
        expect(uuid.parse(id)).toBe(id);
        const isSame = caller === otherCaller && key === otherKey;
        expect(taskIdOfKey(otherKey, otherCaller) === id).toBe(isSame);
      }),
    );
  });

  it('knows the id of a key for ever', () => {
    expect(taskIdOfKey('order-4711', 'localhost')).toBe('10487d56-8ca9-5f25-81ef-6de1039cd9f0');
  });

  it('is null without the header', () => {
    expect(taskIdOfKey(undefined, 'localhost')).toBeNull();
  });

  it.each(['', ' ', 'two words', 'a, b', 'tab\t', 'ä', 'x'.repeat(256)])('refuses %j and names the header', (key) => {
    expect(() => taskIdOfKey(key, 'localhost')).toThrow(
      expect.objectContaining({
        code: 'INVALID_PARAMS',
        details: [expect.objectContaining({ field: 'header.Idempotency-Key' })],
      }),
    );
  });
});
