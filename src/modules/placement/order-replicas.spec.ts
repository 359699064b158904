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

it('puts the replica that knows the session before all others, but waits for it no longer than for them', () => {
  const home = { homeReplicaId: 'b', deviceMask: null };
  const first = (activeLeases: number): string | undefined =>
    orderReplicas([replica('a'), replica('b', { activeLeases })], home)[0]?.id;
  expect([first(3), first(4)]).toEqual(['b', 'a']);
});

it('takes only replicas with the device mask that the task requires', () => {
  const all = [replica('a', { deviceMask: '0' }), replica('b', { deviceMask: '1' }), replica('c')];
  expect(orderReplicas(all, { homeReplicaId: 'a', deviceMask: '1' }).map(({ id }) => id)).toEqual(['b']);
});
