import { expect, it } from 'vitest';
import { orderReplicas } from './order-replicas.js';
import type { ReplicaSnapshot } from './snapshot.js';

const gib = 2 ** 30;

function replica(id: string, changes: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot {
  return { id, ready: true, deviceMask: null, slots: 4, activeLeases: 0, vramFreeBytes: null, ...changes };
}

const order = (...replicas: ReplicaSnapshot[]): string[] => orderReplicas(replicas).map(({ id }) => id);

it('leaves out replicas that are not ready', () => {
  expect(order(replica('a', { ready: false }), replica('b'))).toEqual(['b']);
});

it('puts free slots first, then free memory, then the smaller share of busy slots, then the id', () => {
  const full = replica('a', { vramFreeBytes: 2 * gib, activeLeases: 4 });
  expect(order(full, replica('b', { vramFreeBytes: gib }))).toEqual(['b', 'a']);
  expect(order(replica('a', { vramFreeBytes: gib }), replica('b', { vramFreeBytes: 2 * gib }))).toEqual(['b', 'a']);
  expect(order(replica('a', { activeLeases: 2 }), replica('b', { activeLeases: 3, slots: 8 }))).toEqual(['b', 'a']);
  expect(order(replica('b'), replica('a'))).toEqual(['a', 'b']);
});

it('puts the replica that knows the session before all others', () => {
  const all = [replica('a'), replica('b', { activeLeases: 4 })];
  expect(orderReplicas(all, 'b').map(({ id }) => id)).toEqual(['b', 'a']);
});
