import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RateLimits } from '../../../src/modules/rate-limits/rate-limits.js';
import { freshRedis } from '../../support/stores.js';

const none = { requests_per_s: null, burst: null, tokens_per_min: null };

describe('rate limits in Redis', () => {
  let store: Awaited<ReturnType<typeof freshRedis>>;
  let redis: Redis;

  beforeAll(async () => {
    store = await freshRedis();
    ({ redis } = store);
  });

  afterAll(() => store.drop());

  function policyOf(change: Partial<typeof none> | object, name: 'requests' | 'tokens') {
    const limits = RateLimits.of({ ...none, ...change }, redis);
    const policy = limits?.policy(name) ?? null;
    if (limits === null || policy === null) throw new Error('not limited');
    return { limits, policy };
  }

  it('does not exist where nothing is limited', () => {
    expect(RateLimits.of(null, redis)).toBeNull();
    expect(RateLimits.of(none, redis)).toBeNull();
  });

  it('grants a burst whatever the order, and not one more', async () => {
    // A unit drains in a thousand seconds: none does meanwhile.
    const { limits, policy } = policyOf({ tokens_per_min: 3 }, 'tokens');
    expect(policy).toEqual({ name: 'tokens', quota: 3, windowMs: 60_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 1, max: 60 })),
        async (holds, wants) => {
          const slow = { ...policy, quota: holds, windowMs: holds * 1_000_000 };
          const subject = randomUUID();
          const verdicts = await Promise.all(wants.map((units) => limits.take(slow, subject, units)));
          let left = holds;
          for (const [place, units] of wants.entries()) {
            const expected = units > holds ? 'too large' : units > left ? 'refused' : 'taken';
            if (expected === 'taken') left -= units;
            expect(verdicts[place]).toMatchObject({ kind: expected, state: { remaining: left } });
          }
        },
      ),
    );
  });

  it('says how long to wait, and lets it happen then', async () => {
    const { limits, policy } = policyOf({ requests_per_s: 20, burst: 1 }, 'requests');
    const subject = randomUUID();
    expect(await limits.take(policy, subject, 1)).toMatchObject({ kind: 'taken', state: { remaining: 0 } });
    for (let n = 0; n < 5; n++) {
      const refused = await limits.take(policy, subject, 1);
      // On a slow machine the fifty milliseconds may be over already.
      if (refused.kind !== 'refused') continue;
      expect(refused.waitMs).toBeLessThanOrEqual(50);
      await new Promise((resolve) => setTimeout(resolve, refused.waitMs + 1));
      expect((await limits.take(policy, subject, 1)).kind).toBe('taken');
    }
  });

  it('never grants more than the burst and what has drained since', async () => {
    const { limits, policy } = policyOf({ requests_per_s: 500, burst: 10 }, 'requests');
    const subject = randomUUID();
    const began = performance.now();
    let taken = 0;
    for (let n = 0; n < 400; n++) if ((await limits.take(policy, subject, 1)).kind === 'taken') taken += 1;
    const seconds = (performance.now() - began) / 1000;
    expect(taken).toBeLessThanOrEqual(Math.floor(10 + seconds * 500));
    expect(taken).toBeGreaterThanOrEqual(10);
  });

  it('has all again after giving back, and no more than that', async () => {
    const { limits, policy } = policyOf({ tokens_per_min: 1 }, 'tokens');
    const slow = { ...policy, quota: 10, windowMs: 10_000_000 };
    const subject = randomUUID();
    await limits.take(slow, subject, 7);
    await limits.giveBack(slow, subject, 4);
    expect(await limits.take(slow, subject, 8)).toMatchObject({ kind: 'refused', state: { remaining: 7 } });
    await limits.giveBack(slow, subject, 300);
    expect(await limits.take(slow, subject, 10)).toMatchObject({ kind: 'taken', state: { remaining: 0 } });
  });

  it('keeps callers apart, stores no caller, and forgets who asks no more', async () => {
    const { limits, policy } = policyOf({ requests_per_s: 100, burst: 1 }, 'requests');
    await limits.take(policy, 'token:secret-digest', 1);
    expect((await limits.take(policy, 'token:another', 1)).kind).toBe('taken');
    expect((await redis.keys('*')).join()).not.toContain('secret');
    await expect.poll(() => redis.keys('*:rate:requests:*')).toEqual([]);
  });
});
