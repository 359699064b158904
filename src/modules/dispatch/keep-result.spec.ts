import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { PackedContent } from '../artifacts/index.js';
import { KeepResult } from './keep-result.js';

class FakeArtifacts {
  readonly kept: PackedContent[] = [];

  run(content: PackedContent) {
    this.kept.push(content);
    const { id, kind } = content;
    return Promise.resolve({ id, kind, digest: id, created_ms: 0, tags: [], parent: null, metadata: {} });
  }
}

function setUp() {
  const artifacts = new FakeArtifacts();
  return { artifacts, keep: new KeepResult(artifacts) };
}

it('puts a result of up to a mebibyte on one line', async () => {
  const { artifacts, keep } = setUp();
  const scores = [{ score: 0.5, index: 1 }];
  expect(await keep.run({ scores })).toEqual({ json: '{"scores":[{"index":1,"score":0.5}]}' });
  const digits = '1'.repeat(2 ** 20 - '{"embeddings":[[]]}'.length);
  const full = { embeddings: [Array<number>(digits.length / 2 + 0.5).fill(1)] };
  const kept = await keep.run(full);
  expect(kept).toEqual({ json: JSON.stringify(full) });
  expect(artifacts.kept).toEqual([]);
});

it('keeps a larger one as an artifact, whole', async () => {
  const { artifacts, keep } = setUp();
  const embeddings = Array.from({ length: 300 }, (_, row) => Array.from({ length: 1000 }, (__, n) => row + n / 7));
  const { id, kind, bytes } = (await keep.run({ embeddings }).then((kept) => {
    expect(kept).toEqual({ artifactId: artifacts.kept[0]?.id });
    return artifacts.kept[0];
  })) as PackedContent;
  expect(kind).toBe('other');
  expect(gunzipSync(bytes.subarray(1)).toString()).toBe(JSON.stringify({ embeddings }));
  expect(id).toMatch(/^sha256:/);
});
