import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GgufValue } from './gguf-cursor.js';
import { cacheTypesIn, kvBytesPerToken, kvShape } from './kv-shape.js';

const shapeOf = (architecture: string, keys: Readonly<Record<string, GgufValue>>) =>
  kvShape(architecture, new Map(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value])));

/** Llama 3.1 8B: 32 layers, 32 heads of 128, 8 of them for keys and values. */
const llama8b = {
  block_count: 32,
  embedding_length: 4096,
  'attention.head_count': 32,
  'attention.head_count_kv': 8,
};

describe('what a token takes in the KV cache', () => {
  it('is layers times KV heads times head size, twice, in two bytes each', () => {
    expect(kvBytesPerToken(shapeOf('llama', llama8b))).toBe(131_072);
  });

  it('counts all heads where the model has no fewer for keys and values, and the sizes it tells', () => {
    const { 'attention.head_count_kv': _, ...all } = llama8b;
    expect(kvBytesPerToken(shapeOf('llama', all))).toBe(4 * 131_072);
    const sizes = { 'attention.key_length': 192, 'attention.value_length': 64 };
    expect(shapeOf('llama', { ...llama8b, ...sizes })).toMatchObject({ keys: 32 * 8 * 192, values: 32 * 8 * 64 });
  });

  it('adds up layers of different sizes, and those without a cache', () => {
    const layers = [8, 0, 0, 4];
    const shape = shapeOf('llama', { ...llama8b, block_count: 4, 'attention.head_count_kv': layers });
    expect(shape?.keys).toBe(12 * 128);
    expect(shapeOf('llama', { ...llama8b, 'attention.head_count_kv': layers })).toBeNull();
  });

  it.each(['attention.sliding_window', 'attention.kv_lora_rank', 'nextn_predict_layers'])(
    'is an upper bound where the model tells of %s',
    (key) => {
      expect(shapeOf('llama', llama8b)?.isExact).toBe(true);
      expect(shapeOf('llama', { ...llama8b, [key]: 0 })?.isExact).toBe(true);
      expect(shapeOf('llama', { ...llama8b, [key]: 512 })?.isExact).toBe(false);
    },
  );

  it('is an upper bound for an architecture that nobody has looked at', () => {
    expect(shapeOf('new', llama8b)).toEqual({ keys: 32_768, values: 32_768, isExact: false });
  });

  it('is unknown for models without attention', () => {
    expect(shapeOf('mamba', { ...llama8b, 'attention.head_count': 0, 'attention.head_count_kv': 0 })).toBeNull();
  });

  it('is a sensible number or unknown, whatever the keys say', () => {
    const some = fc.oneof(
      fc.constant(undefined),
      fc.string(),
      fc.nat({ max: 70_000 }),
      fc.double(),
      fc.array(fc.integer({ min: -1, max: 70_000 }), { maxLength: 5 }),
    );
    const names = [...Object.keys(llama8b), 'attention.key_length', 'attention.value_length'];
    fc.assert(
      fc.property(fc.array(some, { minLength: names.length, maxLength: names.length }), (values) => {
        const entries = names.flatMap((name, place) => {
          const value = values[place];
          return value === undefined ? [] : ([[`llama.${name}`, value]] as const);
        });
        const bytes = kvBytesPerToken(kvShape('llama', new Map(entries)), { keys: 'f32', values: 'f32' });
        expect(bytes === null || (Number.isSafeInteger(bytes) && bytes > 0)).toBe(true);
      }),
    );
  });

  it('follows the element types that the command line of the engine names', () => {
    const shape = shapeOf('llama', llama8b);
    const bytes = (...flags: string[]) => kvBytesPerToken(shape, cacheTypesIn(flags));
    expect(bytes('--model', 'm.gguf')).toBe(131_072);
    expect(bytes('-ctk', 'q8_0', '-ctv', 'q8_0')).toBe((131_072 / 2 / 32) * 34);
    expect(bytes('--cache-type-k', 'q4_0', '--cache-type-k', 'f32')).toBe(3 * 65_536);
    expect(bytes('--cache-type-k', 'q9_9')).toBeNull();
    expect(bytes('--cache-type-k')).toBe(131_072);
  });
});
