import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { artifactKind, type ArtifactKind } from '../../contract/artifacts.js';
import { canonicalJson } from './canonical-json.js';
import { ContentPacker, unpack, type PackedContent } from './packed-content.js';

async function pack(kind: ArtifactKind, ...pieces: readonly string[]): Promise<PackedContent> {
  const packer = new ContentPacker(kind);
  for (const piece of pieces) await packer.add(piece);
  return packer.finish();
}

/** Cuts a text at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const ends = [...places.map((place) => place % (text.length + 1)).toSorted((a, b) => a - b), text.length];
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
}

describe('a packed content', () => {
  it('is named by the hash of the canonical JSON of kind and content, however it came, and can be read back', async () => {
    const kinds = fc.constantFrom(...artifactKind.options);
    const places = fc.array(fc.nat(), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(kinds, fc.jsonValue(), places, async (kind, content, at) => {
        const text = canonicalJson(content);
        const { id, bytes } = await pack(kind, ...cut(text, at));
        const wanted = createHash('sha256').update(canonicalJson({ content, kind }), 'utf8').digest('hex');
        expect(id).toBe(`sha256:${wanted}`);
        expect((await unpack(bytes)).toString('utf8')).toBe(text);
      }),
    );
  });

  it('has another name as another kind or with another content', async () => {
    const all = await Promise.all([pack('plan', '{}'), pack('diff', '{}'), pack('plan', '[]'), pack('plan', '"{}"')]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(4);
  });

  it.each([4095, 4096, 100_000, 1_048_575, 1_048_576, 5_000_000])('of %i bytes is read back whole', async (length) => {
    const pieces = Array.from({ length: Math.ceil(length / 60_000) }, (_, index) =>
      String.fromCharCode(97 + (index % 26)).repeat(Math.min(60_000, length - index * 60_000)),
    );
    const { id, bytes } = await pack('logs', ...pieces);
    expect((await unpack(bytes)).equals(Buffer.from(pieces.join('')))).toBe(true);
    expect(id).toBe((await pack('logs', pieces.join(''))).id);
    expect(bytes.length < length).toBe(length >= 4096);
  });

  it('is refused when no packer made it', async () => {
    await expect(unpack(Buffer.from([2, 1, 2]))).rejects.toThrow('unknown mark');
    await expect(unpack(Buffer.from([1, 1, 2]))).rejects.toThrow('incorrect header check');
  });
});
