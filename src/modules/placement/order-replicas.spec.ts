import { expect, it } from 'vitest';
import { orderReplicas } from './order-replicas.js';
import type { ReplicaSnapshot } from './snapshot.js';

function replica(id: string, changes: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot {
  return { id, ready: true, slots: 4, activeLeases: 0, vramFreeBytes: null, ...changes };
}

const order = (...replicas: ReplicaSnapshot[]): string[] => orderReplicas(replicas).map(({ id }) => id);

it('leaves out replicas that are not ready', () => {
  expect(order(replica('a', { ready: false }), replica('b'))).toEqual(['b']);
});

it('puts free memory first, then the smaller share of busy slots, then the id', () => {
  expect(order(replica('a', { vramFreeBytes: 1 }), replica('b', { vramFreeBytes: 2 }))).toEqual(['b', 'a']);
  expect(order(replica('a', { activeLeases: 2 }), replica('b', { activeLeases: 3, slots: 8 }))).toEqual(['b', 'a']);
  expect(order(replica('b'), replica('a'))).toEqual(['a', 'b']);
});
