import { expect, it } from 'vitest';
import { keptKvBytes, kvBytesPerTokenOf, vramOf } from './pool-facts.js';
import type { LivePool } from './pool-registry.js';

const claims = { vramTotalBytes: 24, vramFreeBytes: 12 };

/** Only what these facts look at. */
function poolOf(change: {
  perToken?: number;
  ready?: boolean;
  ctxMax?: number | null;
  claims?: typeof claims;
}): LivePool {
  const { perToken, ready = true, ctxMax = 100 } = change;
  const known = { id: 'r0', kvBytesPerToken: 10, claims: change.claims ?? null };
  return {
    config: { model: { kv_bytes_per_token: perToken } },
    replicas: [{ known, ready, ctxMax }],
    gpuMemory: new Map(),
  } as unknown as LivePool;
}

function replicaIn(pool: LivePool) {
  const [replica] = pool.replicas;
  if (replica === undefined) throw new Error('no replica');
  return replica;
}

it('takes the word of the configuration on the KV cache before that of the model', () => {
  for (const [perToken, expected] of [
    [undefined, 10],
    [7, 7],
  ]) {
    const pool = poolOf(perToken === undefined ? {} : { perToken });
    expect(kvBytesPerTokenOf(pool, replicaIn(pool))).toBe(expected);
  }
});

it('counts what a ready replica can keep at the most, and nothing of one that is gone', () => {
  expect(keptKvBytes(poolOf({}), 'r0', 60)).toBe(600);
  expect(keptKvBytes(poolOf({}), 'r0', 160)).toBe(1000);
  expect(keptKvBytes(poolOf({ ctxMax: null }), 'r0', 160)).toBe(1600);
  expect(keptKvBytes(poolOf({ ready: false }), 'r0', 60)).toBeNull();
  expect(keptKvBytes(poolOf({}), 'r1', 60)).toBeNull();
  expect(keptKvBytes(null, 'r0', 60)).toBeNull();
});

it('believes what was seen of the GPUs before what was said of them', () => {
  const pool = poolOf({ claims });
  expect(vramOf(pool, replicaIn(pool))).toEqual({ totalBytes: 24, freeBytes: 12 });
  const seen = { ...pool, gpuMemory: new Map([['r0', { totalBytes: 48, freeBytes: 1 }]]) };
  expect(vramOf(seen, replicaIn(pool))).toEqual({ totalBytes: 48, freeBytes: 1 });
  expect(vramOf(poolOf({}), replicaIn(poolOf({})))).toEqual({ totalBytes: null, freeBytes: null });
});
