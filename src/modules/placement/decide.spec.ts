import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type Decision } from './decide.js';
import type { PlacementRequest, PoolSnapshot } from './snapshot.js';

function pool(id: string, changes: Partial<PoolSnapshot> = {}): PoolSnapshot {
  return {
    id,
    engine: 'llamacpp',
    modelNames: ['m', 'alias'],
    ready: true,
    unreadyReason: null,
    ctxMax: 4096,
    deviceMasks: ['0'],
    slots: 4,
    activeLeases: 0,
    waiting: 0,
    vramFreeBytes: null,
    tokensPerS: null,
    firstTokenMs: null,
    tokensWaiting: 0,
    ...changes,
  };
}

function request(wish?: PlacementRequest['wish'], changes: Partial<PlacementRequest> = {}): PlacementRequest {
  return { modelRef: 'm', engine: undefined, ctxNeeded: 100, ctxField: 'ctx', expectedTokens: 50, wish, ...changes };
}

const wish = (fields: Partial<NonNullable<PlacementRequest['wish']>>): NonNullable<PlacementRequest['wish']> => ({
  mode: 'auto',
  allow_fallback: true,
  ...fields,
});

const chosen = (decision: Decision): string => (decision.kind === 'assigned' ? decision.poolId : decision.code);

const someIds = ['a', 'b', 'c', 'd'];
const somePool = (id: string): fc.Arbitrary<PoolSnapshot> =>
  fc
    .record({
      modelNames: fc.constantFrom(['m'], ['alias', 'm'], ['other']),
      ready: fc.boolean(),
      ctxMax: fc.constantFrom(null, 50, 4096),
      deviceMasks: fc.constantFrom([], ['0'], ['0,1']),
      slots: fc.integer({ min: 0, max: 3 }),
      activeLeases: fc.integer({ min: 0, max: 3 }),
      waiting: fc.integer({ min: 0, max: 3 }),
      vramFreeBytes: fc.constantFrom(null, 1e9, 2e9),
      tokensPerS: fc.constantFrom(null, 0, 10, 100),
      firstTokenMs: fc.constantFrom(null, 5, 500),
      tokensWaiting: fc.integer({ min: 0, max: 1000 }),
    })
    .map((fields) => pool(id, fields));
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

function canTake({ modelRef, ctxNeeded, wish: wanted }: PlacementRequest, candidate: PoolSnapshot): boolean {
  const mask = wanted?.require_device_mask;
  return (
    candidate.ready &&
    candidate.modelNames.includes(modelRef) &&
    (candidate.ctxMax === null || ctxNeeded <= candidate.ctxMax) &&
    (mask === undefined || candidate.deviceMasks.includes(mask)) &&
    wanted?.avoid_pools?.includes(candidate.id) !== true
  );
}

describe('choosing a pool', () => {
  it('never picks a pool that cannot take the task', () => {
    fc.assert(
      fc.property(somePools, someWish, (pools, wanted) => {
        const asked = request(wanted);
        const able = pools.filter((candidate) => canTake(asked, candidate)).map(({ id }) => id);
        const decision = decide(asked, pools);
        const isSound = decision.kind === 'none' || able.includes(decision.poolId);
        expect(isSound).toBe(true);
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
        expect(chosen(second)).toBe(chosen(first));
        expect(decide(request(wanted), pools)).toEqual(first);
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
    const pools = [pool('a', { ready: false, unreadyReason: 'it is starting' }), pool('b'), pool('c', { ctxMax: 50 })];
    const { candidates } = decide(request(), pools);
    expect(candidates).toEqual([
      { poolId: 'a', feasible: false, reasons: ['it is starting'] },
      { poolId: 'b', feasible: true, reasons: [] },
      { poolId: 'c', feasible: false, reasons: ['the task needs 100 tokens of context, the model has 50'] },
    ]);
  });

  it('prefers the pool that is predicted to finish first', () => {
    const slow = pool('a', { tokensPerS: 10, firstTokenMs: 10 });
    const quick = pool('b', { tokensPerS: 100, firstTokenMs: 10, activeLeases: 3 });
    expect(decide(request(), [slow, quick])).toMatchObject({
      poolId: 'b',
      reasons: ['it is predicted to finish first, in about 510 ms'],
    });
  });

  it('tries a pool nobody has measured when the best measured one is busy', () => {
    const measured = pool('a', { tokensPerS: 100, firstTokenMs: 10 });
    const unmeasured = pool('b');
    expect(chosen(decide(request(), [measured, unmeasured]))).toBe('a');
    expect(chosen(decide(request(), [{ ...measured, activeLeases: 4 }, unmeasured]))).toBe('b');
    const allBusy = [measured, unmeasured].map((snapshot) => ({ ...snapshot, activeLeases: 4 }));
    expect(chosen(decide(request(), allBusy))).toBe('a');
  });

  it('prefers free memory, then few tasks, then the smaller id', () => {
    expect(chosen(decide(request(), [pool('a', { vramFreeBytes: 1 }), pool('b', { vramFreeBytes: 2 })]))).toBe('b');
    expect(chosen(decide(request(), [pool('a', { activeLeases: 2 }), pool('b', { waiting: 1 })]))).toBe('b');
    expect(chosen(decide(request(), [pool('b'), pool('a')]))).toBe('a');
  });

  it('follows the order of the preferred pools before anything else', () => {
    const pools = [pool('a'), pool('b', { activeLeases: 3 }), pool('c', { ready: false })];
    const preferring = request(wish({ mode: 'prefer', prefer_pools: ['c', 'b'] }));
    expect(decide(preferring, pools)).toMatchObject({ poolId: 'b', fallback: false });
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

  it('tells a pin to an unknown pool from a pin to one that cannot take the task', () => {
    const pin = (id: string): PlacementRequest => request(wish({ mode: 'pin', pin_pool_id: id }));
    const pools = [pool('a', { ctxMax: 50 })];
    expect(decide(pin('z'), pools)).toMatchObject({ code: 'INVALID_PARAMS', poolId: null });
    expect(decide(pin('a'), pools)).toMatchObject({ code: 'INVALID_PARAMS', poolId: 'a' });
  });
});
