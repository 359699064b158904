import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { demoVocabulary } from './vocabulary.js';
import { encodeDemoModel, writeDemoModel } from './write-demo-model.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orchd-demo-model-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('the demo model', () => {
  it('has the same bytes every time', async () => {
    const first = await writeDemoModel(join(dir, 'a.gguf'));
    const second = await writeDemoModel(join(dir, 'b.gguf'));
    expect(second.sha256).toBe(first.sha256);
    // A change of this digest is a new model: answers recorded with the old one can't be reproduced.
    expect(first).toMatchObject({
      bytes: 531_008,
      sha256: '8180b2a017d227ed82fe20da313da1a1727a425568cbdca17278eb9ad5c7d789',
    });
  });

  it('reports what is on disk and leaves no unfinished file', async () => {
    const path = join(dir, 'deep/er/demo.gguf');
    const written = await writeDemoModel(path);
    const bytes = await readFile(path);
    expect(written).toEqual({
      path,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(await readdir(join(dir, 'deep/er'))).toEqual(['demo.gguf']);
  });

  it('replaces an older file', async () => {
    const path = join(dir, 'demo.gguf');
    await writeDemoModel(path);
    await expect(writeDemoModel(path)).resolves.toMatchObject({ path });
  });

  it('is a GGUF file of version 3 whose header describes a llama', () => {
    const { version, metadata, tensors } = readGguf(encodeDemoModel());
    expect(version).toBe(3);
    expect(Object.fromEntries(metadata)).toMatchObject({
      'general.architecture': 'llama',
      'llama.context_length': 8192,
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.bos_token_id': 1,
      'tokenizer.ggml.eos_token_id': 2,
    });
    expect(metadata.get('llama.vocab_size')).toBe((metadata.get('tokenizer.ggml.tokens') as string[]).length);
    expect(tensors.map((tensor) => tensor.name)).toContain('blk.0.attn_q.weight');
  });

  it('holds every tensor whole, aligned, and with finite numbers', () => {
    const bytes = encodeDemoModel();
    const { dataStart, tensors } = readGguf(bytes);
    const ends = tensors.map(({ shape, offset }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const values = Array.from({ length }, (_, index) => bytes.readFloatLE(dataStart + offset + index * 4));
      expect(offset % 32).toBe(0);
      expect(values.every(Number.isFinite)).toBe(true);
      return offset + length * 4;
    });
    expect(dataStart % 32).toBe(0);
    expect(dataStart + Math.max(...ends)).toBeLessThanOrEqual(bytes.length);
  });

  it('can spell every byte, so that any text tokenizes', () => {
    const bytes = demoVocabulary().filter((entry) => entry.kind === 'byte');
    expect(bytes).toHaveLength(256);
    expect(bytes.at(-1)?.text).toBe('<0xFF>');
  });

  it('builds every word from pieces it also has', () => {
    const texts = new Set(demoVocabulary().map((entry) => entry.text));
    expect(texts.size).toBe(demoVocabulary().length);
    for (const { text, kind } of demoVocabulary()) {
      if (kind !== 'word') continue;
      expect(texts.has(text.slice(0, -1))).toBe(true);
      expect(texts.has(text.slice(-1))).toBe(true);
    }
  });
});

interface ReadGguf {
  version: number;
  metadata: Map<string, unknown>;
  tensors: { name: string; shape: number[]; type: number; offset: number }[];
  dataStart: number;
}

/** A reader of its own, written against the format's specification and not against the writer. */
function readGguf(bytes: Buffer): ReadGguf {
  let at = 0;
  const u32 = (): number => bytes.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const string = (): string => {
    const length = u64();
    return bytes.toString('utf8', at, (at += length));
  };
  const value = (type: number): unknown => {
    if (type === 4) return u32();
    if (type === 5) return bytes.readInt32LE((at += 4) - 4);
    if (type === 6) return bytes.readFloatLE((at += 4) - 4);
    if (type === 7) return bytes.readUInt8((at += 1) - 1) === 1;
    if (type === 8) return string();
    if (type !== 9) throw new Error(`unexpected type ${type}`);
    const elementType = u32();
    return Array.from({ length: u64() }, () => value(elementType));
  };
  expect(bytes.toString('latin1', 0, 4)).toBe('GGUF');
  at = 4;
  const version = u32();
  const tensorCount = u64();
  const pairs = u64();
  const metadata = new Map(Array.from({ length: pairs }, () => [string(), value(u32())] as const));
  const tensors = Array.from({ length: tensorCount }, () => ({
    name: string(),
    shape: Array.from({ length: u32() }, () => u64()),
    type: u32(),
    offset: u64(),
  }));
  return { version, metadata, tensors, dataStart: Math.ceil(at / 32) * 32 };
}
