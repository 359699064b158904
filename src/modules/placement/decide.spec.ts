import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type Decision } from './decide.js';
import type { PlacementRequest, PoolSnapshot, ReplicaSnapshot } from './snapshot.js';

function replica(id: string, changes: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot {
  const load = { slots: 4, activeLeases: 0 };
  return { id, ready: true, deviceMask: '0', ...load, vramFreeBytes: null, kvBytesPerToken: 0, ...changes };
}

function pool(id: string, changes: Partial<PoolSnapshot> = {}): PoolSnapshot {
  return {
    id,
    engine: 'llamacpp',
    features: new Set(['prompt', 'prompt+seed']),
    samplerProfile: 'v1',
    modelNames: ['m', 'alias'],
    ready: true,
    unreadyReason: null,
    ctxMax: 4096,
    replicas: [replica('r0')],
    waiting: 0,
    isFull: false,
    predicted: null,
    ...changes,
  };
}

/** A pool whose one replica has so many of its four slots taken. */
const taken = (id: string, activeLeases: number, changes: Partial<PoolSnapshot> = {}): PoolSnapshot =>
  pool(id, { replicas: [replica('r0', { activeLeases })], ...changes });

function request(wish?: PlacementRequest['wish'], changes: Partial<PlacementRequest> = {}): PlacementRequest {
  const needs = [{ feature: 'prompt', field: 'prompt' }];
  return {
    modelRef: 'm',
    engine: undefined,
    needs,
    samplerProfile: undefined,
    ctxNeeded: 100,
    ctxField: 'ctx',
    kvTokens: 100,
    affinity: null,
    wish,
    mayPin: true,
    ...changes,
  };
}

const wish = (fields: Partial<NonNullable<PlacementRequest['wish']>>): NonNullable<PlacementRequest['wish']> => ({
  mode: 'auto',
  allow_fallback: true,
  ...fields,
});

const chosen = (decision: Decision): string => (decision.kind === 'assigned' ? decision.poolId : decision.code);

const someIds = ['a', 'b', 'c', 'd'];
const someReplica = fc.record({
  ready: fc.boolean(),
  deviceMask: fc.constantFrom(null, '0', '0,1'),
  slots: fc.integer({ min: 0, max: 3 }),
  activeLeases: fc.integer({ min: 0, max: 3 }),
  vramFreeBytes: fc.constantFrom(null, 0, 999, 1000, 2 ** 30, 2 ** 34),
  kvBytesPerToken: fc.constantFrom(null, 0, 10, 10),
});
const somePool = (id: string): fc.Arbitrary<PoolSnapshot> =>
  fc
    .record({
      features: fc.constantFrom(null, new Set<string>(), new Set(['prompt'])),
      modelNames: fc.constantFrom(['m'], ['alias', 'm'], ['other']),
      ctxMax: fc.constantFrom(null, 50, 4096),
      waiting: fc.integer({ min: 0, max: 3 }),
      isFull: fc.boolean(),
      predicted: fc.option(fc.record({ startMs: fc.nat({ max: 2 }), runMs: fc.nat({ max: 2 }) })),
      replicas: fc.array(someReplica, { maxLength: 3 }),
    })
    .map(({ replicas, ...fields }) =>
      pool(id, {
        ...fields,
        ready: replicas.some(({ ready }) => ready),
        replicas: replicas.map((one, place) => ({ ...one, id: `r${place}` })),
      }),
    );
const somePools = fc
  .subarray(someIds)
  .chain((ids) => fc.tuple(...ids.map(somePool)))
  .map((pools): PoolSnapshot[] => pools);
const someWish = fc.option(
  fc
    .record({
      mode: fc.constantFrom('auto' as const, 'prefer' as const, 'pin' as const),
      pin_pool_id: fc.constantFrom(...someIds),
      prefer_pools: fc.subarray(someIds),
      avoid_pools: fc.subarray(someIds, { maxLength: 2 }),
      require_device_mask: fc.constantFrom(undefined, '0'),
      allow_fallback: fc.boolean(),
    })
    .map((fields) => wish(fields)),
  { nil: undefined },
);

const someAffinity = fc.option(fc.record({ poolId: fc.constantFrom(...someIds), replicaId: fc.constant('r0') }));

/** The rules once more, put differently. */
function canTake({ modelRef, ctxNeeded, kvTokens, wish: wanted }: PlacementRequest, candidate: PoolSnapshot): boolean {
  const ready = candidate.replicas.filter((one) => one.ready);
  const { require_device_mask: mask, avoid_pools: avoided } = { avoid_pools: [], ...wanted };
  return [
    candidate.ready,
    !candidate.isFull,
    candidate.modelNames.includes(modelRef),
    candidate.features?.has('prompt') !== false,
    (candidate.ctxMax ?? Infinity) >= ctxNeeded,
    ready.some(
      ({ deviceMask, vramFreeBytes, kvBytesPerToken }) =>
        (mask === undefined || deviceMask === mask) &&
        (kvBytesPerToken ?? 0) * Math.min(kvTokens, candidate.ctxMax ?? Infinity) <= (vramFreeBytes ?? Infinity),
    ),
    !avoided.includes(candidate.id),
  ].every(Boolean);
}

describe('choosing a pool', () => {
  it('never picks a pool that cannot take the task', () => {
    fc.assert(
      fc.property(somePools, someWish, someAffinity, (pools, wanted, affinity) => {
        const asked = request(wanted, { affinity });
        const able = pools.filter((candidate) => canTake(asked, candidate)).map(({ id }) => id);
        const decision = decide(asked, pools);
        const isSound = decision.kind === 'none' || able.includes(decision.poolId);
        expect(isSound).toBe(true);
        const feasible = decision.candidates.filter((candidate) => candidate.feasible).map(({ poolId }) => poolId);
        expect(wanted?.mode === 'pin' || feasible.toSorted().join() === able.toSorted().join()).toBe(true);
      }),
    );
  });

  it('scores what it chose from, the best first, and tells of the others why not', () => {
    fc.assert(
      fc.property(somePools, (pools) => {
        const { kind, candidates } = decide(request(), pools);
        const areScored = candidates.every(({ feasible, score }) =>
          feasible ? score !== null && score >= 0 && score <= 1 : score === null,
        );
        const others = candidates.slice(kind === 'assigned' ? 1 : 0);
        expect(areScored).toBe(true);
        expect(others.every(({ reasons }) => reasons.length > 0)).toBe(true);
      }),
    );
  });

  it('always picks a pool when some can take the task and none is asked for by name', () => {
    fc.assert(
      fc.property(somePools, (pools) => {
        const isPossible = pools.some((candidate) => canTake(request(), candidate));
        expect(decide(request(), pools).kind).toBe(isPossible ? 'assigned' : 'none');
      }),
    );
  });

  it('gives the same answer whatever the order of the pools', () => {
    fc.assert(
      fc.property(somePools, someWish, fc.infiniteStream(fc.nat()), (pools, wanted, keys) => {
        const shuffled = pools
          .map((snapshot) => ({ snapshot, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ snapshot }) => snapshot);
        const [first, second] = [decide(request(wanted), pools), decide(request(wanted), shuffled)];
        expect(second).toEqual(first);
      }),
    );
  });

  it('takes a pinned task nowhere else', () => {
    fc.assert(
      fc.property(somePools, fc.constantFrom(...someIds), (pools, id) => {
        const decision = decide(request(wish({ mode: 'pin', pin_pool_id: id })), pools);
        expect(decision.candidates.every(({ poolId }) => poolId === id)).toBe(true);
        expect([id, 'INVALID_PARAMS', 'POOL_UNREADY']).toContain(chosen(decision));
      }),
    );
  });

  it('says of every pool whether it could have taken the task, and why not', () => {
    const pools = [
      pool('a', { ready: false, unreadyReason: 'it is starting' }),
      pool('b', { predicted: { startMs: 0, runMs: 300 } }),
      pool('c', { ctxMax: 50 }),
      pool('d', { predicted: { startMs: 100, runMs: 500 } }),
    ];
    const none = { score: null, completionMs: null };
    expect(decide(request(), pools).candidates).toEqual([
      { poolId: 'b', feasible: true, reasons: [], score: 1, completionMs: 300 },
      {
        poolId: 'd',
        feasible: true,
        reasons: ['b was taken: it is predicted to finish first, in about 300 ms'],
        score: 0.5,
        completionMs: 600,
      },
      { poolId: 'a', feasible: false, reasons: ['it is starting'], ...none },
      { poolId: 'c', feasible: false, reasons: ['the task needs 100 tokens of context, the model has 50'], ...none },
    ]);
  });

  it('stays where the session ran last, whatever else is quicker', () => {
    const pools = [pool('a', { predicted: { startMs: 0, runMs: 1 } }), taken('b', 4, { waiting: 9 })];
    const asked = request(undefined, { affinity: { poolId: 'b', replicaId: 'r0' } });
    expect(decide(asked, pools)).toMatchObject({ poolId: 'b', reasons: ['the session ran there last'] });
    expect(chosen(decide(asked, [pool('a'), pool('b', { ctxMax: 50 })]))).toBe('a');
  });

  it('prefers the pool that is predicted to finish first', () => {
    const slow = pool('a', { predicted: { startMs: 0, runMs: 5010 } });
    const quick = taken('b', 4, { predicted: { startMs: 10, runMs: 500 } });
    expect(decide(request(), [slow, quick])).toMatchObject({
      poolId: 'b',
      reasons: ['it is predicted to finish first, in about 510 ms'],
    });
  });

  it('tries a pool nobody has measured when the best measured one is busy', () => {
    const measured = pool('a', { predicted: { startMs: 0, runMs: 500 } });
    expect(chosen(decide(request(), [measured, pool('0')]))).toBe('a');
    const busy = taken('a', 4, { predicted: { startMs: 100, runMs: 500 } });
    expect(decide(request(), [busy, pool('0')])).toMatchObject({
      poolId: '0',
      reasons: ['nothing was measured there yet, and the others are busy'],
    });
    expect(chosen(decide(request(), [busy, taken('0', 4, { waiting: 4 })]))).toBe('a');
  });

  it('prefers free slots, then free memory, then few tasks, then the smaller id', () => {
    const roomy = (id: string, gib: number): PoolSnapshot =>
      pool(id, { replicas: [replica('r0', { vramFreeBytes: gib * 2 ** 30 })] });
    expect(chosen(decide(request(), [roomy('a', 1), roomy('b', 2)]))).toBe('b');
    expect(chosen(decide(request(), [roomy('a', 2.1), roomy('b', 2.9)]))).toBe('a');
    const full = taken('b', 4, { replicas: [replica('r0', { vramFreeBytes: 2 ** 40, activeLeases: 4 })] });
    expect(chosen(decide(request(), [roomy('a', 1), full]))).toBe('a');
    expect(chosen(decide(request(), [taken('a', 2), pool('b', { waiting: 1 })]))).toBe('b');
    expect(chosen(decide(request(), [pool('b'), pool('a')]))).toBe('a');
  });

  it('takes a task that needs a device mask only where a ready replica has it, and looks at no other replica', () => {
    const asked = request(wish({ require_device_mask: '1' }));
    expect(chosen(decide(asked, [pool('a')]))).toBe('POOL_UNAVAILABLE');
    const mixed = (id: string, change: Partial<ReplicaSnapshot>): PoolSnapshot =>
      pool(id, { replicas: [replica('r0'), replica('r1', { deviceMask: '1', ...change })] });
    expect(decide(asked, [mixed('a', { ready: false })])).toMatchObject({
      code: 'POOL_UNREADY',
      message: 'The pool is not ready: no replica of it with the device mask 1 is ready.',
    });
    expect(chosen(decide(asked, [mixed('a', { activeLeases: 4 }), mixed('b', {})]))).toBe('b');
  });

  it('follows the order of the preferred pools before anything else', () => {
    const pools = [pool('a'), taken('b', 3), pool('c', { ready: false })];
    const preferring = request(wish({ mode: 'prefer', prefer_pools: ['c', 'b'] }));
    expect(decide(preferring, pools)).toMatchObject({ poolId: 'b', fallback: false });
  });

  it('takes the next preferred pool when the first can not, and no other where falling back is not allowed', () => {
    fc.assert(
      fc.property(somePools, fc.uniqueArray(fc.constantFrom(...someIds)), fc.boolean(), (pools, wanted, fallback) => {
        const asked = request(wish({ mode: 'prefer', prefer_pools: wanted, allow_fallback: fallback }));
        const able = pools.filter((candidate) => canTake(asked, candidate)).map(({ id }) => id);
        const first = wanted.find((id) => able.includes(id));
        const allowed = first === undefined ? (fallback ? able : []) : [first];
        const decision = decide(asked, pools);
        expect(decision.kind === 'assigned').toBe(allowed.length > 0);
        expect(decision.kind === 'none' || allowed.includes(decision.poolId)).toBe(true);
        expect(decision.kind === 'assigned' && decision.fallback).toBe(first === undefined && allowed.length > 0);
      }),
    );
  });

  it('falls back from the preferred pools only when that is allowed', () => {
    const pools = [pool('a'), pool('c', { ready: false })];
    const preferring = (allow_fallback: boolean): PlacementRequest =>
      request(wish({ mode: 'prefer', prefer_pools: ['c'], allow_fallback }));
    expect(decide(preferring(true), pools)).toMatchObject({ poolId: 'a', fallback: true });
    expect(decide(preferring(false), pools)).toMatchObject({ kind: 'none', code: 'POOL_UNREADY', poolId: 'c' });
  });
});

describe('when no pool can take the task', () => {
  it('names the field that asks for what the engines lack', () => {
    const needs = [{ feature: 'prompt+grammar', field: 'sampling.grammar' }];
    expect(decide(request(undefined, { needs }), [pool('a')])).toMatchObject({
      code: 'INVALID_PARAMS',
      message: "sampling.grammar: llamacpp can't do prompt with grammar",
      details: [{ field: 'sampling.grammar' }],
    });
  });

  it('tells of the engine that comes closest all that it lacks', () => {
    const needs = ['embedding', 'x', 'y'].map((feature) => ({ feature, field: `field of ${feature}` }));
    const pools = [pool('a'), pool('b', { features: new Set(['embedding']) })];
    expect(decide(request(undefined, { needs }), pools)).toMatchObject({
      code: 'INVALID_PARAMS',
      details: [{ field: 'field of x' }, { field: 'field of y' }],
    });
  });

  it('names the sampler profiles there are when none is the one asked for', () => {
    const pools = [
      pool('a'),
      pool('b', { samplerProfile: 'v2' }),
      pool('c', { samplerProfile: 'v3', features: new Set() }),
    ];
    expect(chosen(decide(request(undefined, { samplerProfile: 'v2' }), pools))).toBe('b');
    expect(decide(request(undefined, { samplerProfile: 'v3' }), pools)).toMatchObject({
      code: 'INVALID_PARAMS',
      message: 'sampler_profile_version: no pool that could take the task has v3; there is v1, v2',
      details: [{ field: 'sampler_profile_version' }],
    });
  });

  it('asks to come back when no replica has the memory for the KV cache now', () => {
    const free = (id: string, mebibytes: number, change: Partial<ReplicaSnapshot> = {}): ReplicaSnapshot =>
      replica(id, { kvBytesPerToken: 2 ** 20, vramFreeBytes: mebibytes * 2 ** 20, ...change });
    const none = [free('r0', 5), free('r1', 99), free('r2', 500, { ready: false })];
    expect(decide(request(), [pool('a', { replicas: none })])).toMatchObject({
      code: 'POOL_UNREADY',
      poolId: 'a',
      message: "The pool is not ready: the task's KV cache takes 100 MiB, its roomiest replica has 99 MiB free.",
    });
    const reasonsOf = (...replicas: ReplicaSnapshot[]): readonly string[] => {
      const decision = decide(request(), [pool('a', { replicas })]);
      return decision.kind === 'assigned' ? decision.reasons : [decision.code];
    };
    const only = 'it is the only pool that can take the task';
    const doubt = 'whether GPU memory for its KV cache is free there is not known, so it was let pass';
    expect(reasonsOf(...none, free('r3', 100))).toEqual([only]);
    expect(reasonsOf(free('r0', 5, { kvBytesPerToken: 0 }))).toEqual([only]);
    expect(reasonsOf(free('r0', 5), free('r1', 5, { kvBytesPerToken: null }))).toEqual([only, doubt]);
    expect(reasonsOf(free('r0', 5, { vramFreeBytes: null }))).toEqual([only, doubt]);
    // No task fills more than the pool gives it.
    const small = pool('a', { replicas: none, ctxMax: 80 });
    expect(chosen(decide(request(undefined, { ctxNeeded: 50, kvTokens: 5000 }), [small]))).toBe('a');
  });

  it('names what is served when the model is not', () => {
    expect(decide(request(undefined, { modelRef: 'nope' }), [pool('a')])).toMatchObject({
      code: 'POOL_UNAVAILABLE',
      message: 'No pool serves nope. Served: m, alias.',
    });
  });

  it('says how much context the largest pool has, and names the field that asks for more', () => {
    const asked = request(undefined, { ctxNeeded: 9000, ctxField: 'max_tokens' });
    const decision = decide(asked, [pool('a'), pool('b', { ctxMax: 8192 })]);
    expect(decision).toMatchObject({ code: 'INVALID_PARAMS', details: [{ field: 'max_tokens' }] });
    expect(decision).toHaveProperty('message', expect.stringContaining('8192'));
  });

  it('asks to come back when the only fitting pool is not ready', () => {
    const pools = [pool('a', { ready: false, unreadyReason: 'it is starting' })];
    expect(decide(request(), pools)).toMatchObject({
      code: 'POOL_UNREADY',
      poolId: 'a',
      message: 'The pool is not ready: it is starting.',
    });
  });

  it('refuses a pin where pinning is not allowed, and says so', () => {
    const pinned = request(wish({ mode: 'pin', pin_pool_id: 'a' }), { mayPin: false });
    expect(decide(pinned, [pool('a')])).toMatchObject({
      code: 'INVALID_PARAMS',
      details: [{ field: 'placement.mode', problem: 'pinning is not allowed here (policy.allow_pin is false)' }],
    });
    expect(chosen(decide(request(undefined, { mayPin: false }), [pool('a')]))).toBe('a');
  });

  it('tells a pin to an unknown pool from a pin to one that cannot take the task', () => {
    const pin = (id: string): PlacementRequest => request(wish({ mode: 'pin', pin_pool_id: id }));
    const pools = [pool('a', { ctxMax: 50 })];
    expect(decide(pin('z'), pools)).toMatchObject({ code: 'INVALID_PARAMS', poolId: null });
    expect(decide(pin('a'), pools)).toMatchObject({ code: 'INVALID_PARAMS', poolId: 'a' });
  });
});
