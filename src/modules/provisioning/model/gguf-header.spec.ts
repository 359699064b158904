import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeDemoModel } from '../demo-model/write-demo-model.js';
import { ProvisioningError } from '../provisioning.errors.js';
import { parseGgufHeader, readGgufHeader } from './gguf-header.js';

const demo = encodeDemoModel();

function changed(change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(demo.subarray(0, 4096));
  change(copy);
  return copy;
}

const u32 = (value: number): Buffer => changedBytes(4, (bytes) => bytes.writeUInt32LE(value));
const u64 = (value: number): Buffer => changedBytes(8, (bytes) => bytes.writeBigUInt64LE(BigInt(value)));
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

function changedBytes(length: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(length);
  write(bytes);
  return bytes;
}

/** A value as it lies in a file: its type and bytes. */
interface Encoded {
  readonly type: number;
  readonly bytes: Buffer;
}
const number = (value: number): Encoded => ({ type: 4, bytes: u32(value) });
const string = (value: string): Encoded => ({ type: 8, bytes: text(value) });
const list = (type: number, all: readonly Buffer[]): Encoded => ({
  type: 9,
  bytes: Buffer.concat([u32(type), u64(all.length), ...all]),
});

function fileOf(entries: readonly (readonly [string, Encoded])[], version = 3): Buffer {
  const pairs = entries.flatMap(([key, { type, bytes }]) => [text(key), u32(type), bytes]);
  return Buffer.concat([Buffer.from('GGUF'), u32(version), u64(1), u64(entries.length), ...pairs]);
}

/** Values that no reader of ours asks for, of every type there is. */
const someScalar = fc.oneof(
  fc.constantFrom(0, 1, 7).chain((type) => fc.record({ type: fc.constant(type), bytes: bytesOf(1) })),
  fc.constantFrom(2, 3).chain((type) => fc.record({ type: fc.constant(type), bytes: bytesOf(2) })),
  fc.constantFrom(4, 5, 6).chain((type) => fc.record({ type: fc.constant(type), bytes: bytesOf(4) })),
  fc.constantFrom(10, 11, 12).chain((type) => fc.record({ type: fc.constant(type), bytes: bytesOf(8) })),
  fc.string({ maxLength: 20 }).map(string),
);
const someValue = fc.oneof(
  someScalar,
  fc.array(bytesOf(8), { maxLength: 4 }).map((all) => list(12, all)),
  fc.array(fc.string({ maxLength: 9 }).map(text), { maxLength: 4 }).map((all) => list(8, all)),
  fc
    .array(
      fc.array(bytesOf(2), { maxLength: 3 }).map((all) => Buffer.concat([u32(3), u64(all.length), ...all])),
      { maxLength: 3 },
    )
    .map((all) => list(9, all)),
);

function bytesOf(length: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes));
}

const layout: readonly (readonly [string, Encoded])[] = [
  ['general.architecture', string('some')],
  ['some.context_length', { type: 10, bytes: u64(4096) }],
  ['some.block_count', { type: 2, bytes: changedBytes(2, (bytes) => bytes.writeUInt16LE(3)) }],
  ['some.embedding_length', number(64)],
  ['some.attention.head_count', number(8)],
  ['some.attention.head_count_kv', list(5, [1, 0, 2].map(u32))],
  ['some.attention.key_length', number(16)],
];
const told = { architecture: 'some', contextLength: 4096, kv: { keys: 3 * 16, values: 3 * 8, isExact: false } };

describe('what a model keeps of a token', () => {
  it('is found wherever its keys stand, whatever else the metadata holds', () => {
    const noise = fc.array(fc.tuple(fc.stringMatching(/^noise[.][a-z]{1,8}$/), someValue), { maxLength: 12 });
    fc.assert(
      fc.property(noise, fc.infiniteStream(fc.nat()), fc.constantFrom(2, 3), (others, keys, version) => {
        const shuffled = [...layout, ...others]
          .map((entry) => ({ entry, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry);
        expect(parseGgufHeader('x', fileOf(shuffled, version))).toMatchObject({ ...told, isCut: false });
      }),
    );
  });

  it('is told to be a part wherever the file is cut', () => {
    const whole = fileOf(layout);
    fc.assert(
      fc.property(fc.integer({ min: 24, max: whole.length - 1 }), (length) => {
        expect(parseGgufHeader('x', whole.subarray(0, length)).isCut).toBe(true);
      }),
    );
  });

  it('stands behind nesting without end and lists that claim more than there is as if it were not there', () => {
    const nesting = Buffer.concat(Array.from({ length: 50_000 }, () => Buffer.concat([u32(9), u64(1)])));
    const endless: Encoded[] = [
      { type: 9, bytes: nesting },
      { type: 9, bytes: Buffer.concat([u32(8), u64(2 ** 60)]) },
      { type: 9, bytes: Buffer.concat([u32(12), u64(2 ** 63)]) },
      { type: 8, bytes: u64(2 ** 62) },
      { type: 13, bytes: Buffer.alloc(0) },
    ];
    for (const value of endless) {
      expect(parseGgufHeader('x', fileOf([['noise', value], ...layout]))).toMatchObject({ kv: null });
      expect(parseGgufHeader('x', fileOf([...layout, ['noise', value]]))).toMatchObject(told);
    }
  });
});

describe('parseGgufHeader', () => {
  it('reads version, counts, architecture and context of a real file', () => {
    const header = parseGgufHeader('demo.gguf', demo);
    expect(header).toMatchObject({ version: 3, architecture: 'llama' });
    expect(header.contextLength).toBeGreaterThan(0);
    expect(header.tensorCount).toBeGreaterThan(0);
  });

  it.each([
    [Buffer.from('GGUF'), 'only 4 bytes'],
    [Buffer.from('<!DOCTYPE html><html></html>'), 'a web page'],
    [Buffer.from('PK\u0003\u0004'.padEnd(64, 'x')), 'begins with "PK'],
    [changed((copy) => copy.writeUInt32LE(1, 4)), 'version 1'],
    [changed((copy) => copy.writeUInt32BE(3, 4)), 'version 50331648'],
    [changed((copy) => copy.writeBigUInt64LE(2n ** 60n, 8)), 'tensors'],
    [changed((copy) => copy.writeBigUInt64LE(2n ** 60n, 16)), 'metadata'],
  ])('refuses what is no model and says what it found (%#)', (start, reason) => {
    expect(() => parseGgufHeader('/m/x.gguf', start)).toThrow(reason);
    expect(() => parseGgufHeader('/m/x.gguf', start)).toThrow('/m/x.gguf');
  });

  it('answers or refuses whatever the bytes are, and never hangs', () => {
    const outcome = (bytes: Buffer): string => {
      try {
        return typeof parseGgufHeader('x', bytes).version;
      } catch (error) {
        if (error instanceof ProvisioningError) return error.problem;
        throw error;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(3000), (noise, at) => {
        const bytes = changed((copy) => copy.set(noise, Math.min(at, copy.length - noise.length)));
        expect(['number', 'not-a-model']).toContain(outcome(bytes));
      }),
    );
  });
});

describe('readGgufHeader', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gguf-header-'));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('finds what stands behind a vocabulary, and reads no more than it needs', async () => {
    const path = join(directory, 'large.gguf');
    const vocabulary = list(
      8,
      Array.from({ length: 100_000 }, (_, place) => text(`token ${place}`)),
    );
    await writeFile(path, fileOf([['tokenizer.ggml.tokens', vocabulary], ...layout]));
    expect(await readGgufHeader(path)).toMatchObject(told);
  });

  it('refuses what is no file', async () => {
    await expect(readGgufHeader(directory)).rejects.toMatchObject({ problem: 'not-a-model' });
    await expect(readGgufHeader(join(directory, 'none'))).rejects.toMatchObject({ problem: 'not-found' });
  });
});
