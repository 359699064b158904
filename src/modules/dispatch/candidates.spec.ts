import { expect, it } from 'vitest';
import type { LivePool } from '../pools/index.js';
import { replicaToStartOn } from './candidates.js';

/** Replicas of one slot each. @param busy those that were taken when they were looked at */
function poolOf(ids: readonly string[], busy: readonly string[] = []): LivePool {
  return {
    config: { engine: { kv_allocation: 'at_start' }, model: {} },
    replicas: ids.map((id) => ({ known: { id, deviceMask: null, claims: null }, ready: true, slots: 1 })),
    leases: new Map(busy.map((id) => [id, 1])),
    gpuMemory: new Map(),
    ctxMax: null,
  } as unknown as LivePool; // Only what choosing looks at.
}

const wish = (homeReplicaId: string | null) => ({ homeReplicaId, deviceMask: null, kvTokens: 1 });

it('begins where the session ran last, or where it is best without one', () => {
  expect(replicaToStartOn(poolOf(['a', 'b']), wish('b'))).toBe('b');
  expect(replicaToStartOn(poolOf(['a', 'b'], ['a']), wish(null))).toBe('b');
  expect(replicaToStartOn(poolOf(['a', 'b']), wish('gone'))).toBe('a');
  expect(replicaToStartOn(poolOf([]), wish('a'))).toBeNull();
});

it('leaves the choice to the claim where the replica of the session was full a moment ago', () => {
  expect(replicaToStartOn(poolOf(['a', 'b'], ['b']), wish('b'))).toBeNull();
});
