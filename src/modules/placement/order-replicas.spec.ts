import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kvRoomTokens } from './kv-room.js';
import { orderReplicas } from './order-replicas.js';
import type { ReplicaSnapshot } from './snapshot.js';

const gib = 2 ** 30;

function replica(id: string, changes: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot {
  const load = { slots: 4, activeLeases: 0 };
  return { id, ready: true, deviceMask: null, ...load, vramFreeBytes: null, kvBytesPerToken: 0, ...changes };
}

const order = (...replicas: ReplicaSnapshot[]): string[] => orderReplicas(replicas).map(({ id }) => id);

it('leaves out replicas that are not ready', () => {
  expect(order(replica('a', { ready: false }), replica('b'))).toEqual(['b']);
});

it('puts free slots first, then the smaller share of taken slots, then free memory, then the id', () => {
  const full = replica('a', { vramFreeBytes: 2 * gib, activeLeases: 4 });
  expect(order(full, replica('b', { vramFreeBytes: gib }))).toEqual(['b', 'a']);
  expect(order(replica('a', { vramFreeBytes: gib }), replica('b', { vramFreeBytes: 2 * gib }))).toEqual(['b', 'a']);
  expect(order(replica('a', { activeLeases: 2 }), replica('b', { activeLeases: 3, slots: 8 }))).toEqual(['b', 'a']);
  const roomy = replica('a', { vramFreeBytes: 9 * gib, activeLeases: 1 });
  expect(order(roomy, replica('b', { vramFreeBytes: gib }))).toEqual(['b', 'a']);
  expect(order(replica('b'), replica('a'))).toEqual(['a', 'b']);
});

it('puts the replica that knows the session before all others, but waits for it no longer than for them', () => {
  const home = { homeReplicaId: 'b', deviceMask: null, kvTokens: 0 };
  const first = (activeLeases: number): string | undefined =>
    orderReplicas([replica('a'), replica('b', { activeLeases })], home)[0]?.id;
  expect([first(3), first(4)]).toEqual(['b', 'a']);
});

it('takes only replicas with the device mask that the task requires', () => {
  const all = [replica('a', { deviceMask: '0' }), replica('b', { deviceMask: '1' }), replica('c')];
  expect(orderReplicas(all, { homeReplicaId: 'a', deviceMask: '1', kvTokens: 0 }).map(({ id }) => id)).toEqual(['b']);
});

const someReplicas: fc.Arbitrary<ReplicaSnapshot[]> = fc
  .array(
    fc.record({
      ready: fc.boolean(),
      deviceMask: fc.constantFrom(null, '0', '1'),
      slots: fc.integer({ min: 0, max: 3 }),
      activeLeases: fc.integer({ min: 0, max: 3 }),
      vramFreeBytes: fc.constantFrom(null, 0, 999, 1000, gib, 1.5 * gib, 2 * gib),
      kvBytesPerToken: fc.constantFrom(null, 0, 10),
    }),
    { maxLength: 6 },
  )
  .map((all) => all.map((fields, place) => ({ id: `r${place}`, ...fields })));
const someWish = fc.record({
  homeReplicaId: fc.constantFrom(null, 'r0', 'r3', 'gone'),
  deviceMask: fc.constantFrom(null, '0', '1'),
  kvTokens: fc.constantFrom(0, 100),
});

describe('whatever the replicas', () => {
  it('takes exactly those that can have the task, each once', () => {
    fc.assert(
      fc.property(someReplicas, someWish, (all, wish) => {
        const able = all.filter(
          ({ ready, deviceMask, vramFreeBytes, kvBytesPerToken }) =>
            ready &&
            [null, deviceMask].includes(wish.deviceMask) &&
            (kvBytesPerToken ?? 0) * wish.kvTokens <= (vramFreeBytes ?? Infinity),
        );
        const ordered = orderReplicas(all, wish).map(({ id }) => id);
        expect(ordered.toSorted()).toEqual(able.map(({ id }) => id));
      }),
    );
  });

  it('gives the same order whatever order they come in, and changes nothing of what it was given', () => {
    fc.assert(
      fc.property(someReplicas, someWish, fc.infiniteStream(fc.nat()), (all, wish, keys) => {
        const before = structuredClone(all);
        const shuffled = all
          .map((one) => ({ one, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
        expect(orderReplicas(shuffled, wish)).toEqual(orderReplicas(all, wish));
        expect(all).toEqual(before);
      }),
    );
  });

  it('puts any two of them in the order they have among all', () => {
    fc.assert(
      fc.property(someReplicas, someWish, (all, wish) => {
        const ordered = orderReplicas(all, wish);
        for (const [place, one] of ordered.entries())
          for (const other of ordered.slice(place + 1)) expect(orderReplicas([other, one], wish)).toEqual([one, other]);
      }),
    );
  });

  it('never puts one without a free slot before one that has one', () => {
    fc.assert(
      fc.property(someReplicas, someWish, (all, wish) => {
        const busy = orderReplicas(all, wish).map(({ slots, activeLeases }) => activeLeases >= slots);
        expect(busy.indexOf(true) === -1 || !busy.slice(busy.indexOf(true)).includes(false)).toBe(true);
      }),
    );
  });
});

describe('the tokens that a replica has memory for', () => {
  it('are told only where a task could need more', () => {
    const room = (kvBytesPerToken: number | null, vramFreeBytes: number | null, ctxMax: number | null = 100) =>
      kvRoomTokens(replica('a', { kvBytesPerToken, vramFreeBytes }), ctxMax);
    expect([room(10, 999), room(10, 1000), room(10, 1000, null)]).toEqual([99, null, 100]);
    expect([room(0, 0), room(null, 0), room(10, null)]).toEqual([null, null, null]);
  });
});
