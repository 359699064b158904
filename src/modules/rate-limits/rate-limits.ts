import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { RateLimitsConfig } from '../../contract/rate-limits-config.js';
import { keyPrefix } from '../../platform/redis/redis-connections.js';
import { LuaScript } from '../../platform/redis/lua-script.js';

const takeScript = new LuaScript(new URL('./take-rate.lua', import.meta.url));
const giveBackScript = new LuaScript(new URL('./give-back-rate.lua', import.meta.url));

export type RateName = 'requests' | 'tokens';

/** One limit: a bucket that holds `quota` units and drains completely in `windowMs`. */
export interface RatePolicy {
  readonly name: RateName;
  readonly quota: number;
  readonly windowMs: number;
}

/** How a limit stands for a caller. */
export interface RateState {
  readonly policy: RatePolicy;
  readonly remaining: number;
  /** Milliseconds until the whole quota is there again. */
  readonly resetMs: number;
}

export type RateVerdict =
  | { readonly kind: 'taken'; readonly state: RateState }
  | { readonly kind: 'refused'; readonly state: RateState; readonly waitMs: number }
  /** More at once than the limit ever allows. */
  | { readonly kind: 'too large'; readonly state: RateState };

/** The limits of this server, per caller, exact over all processes: the counting is Redis's. Every method rejects when Redis is away. */
export class RateLimits {
  private constructor(
    private readonly redis: Redis,
    private readonly policies: ReadonlyMap<RateName, RatePolicy>,
  ) {}

  /** Null when nothing is limited: then nothing is asked and nothing costs. */
  static of(config: RateLimitsConfig | null, redis: Redis): RateLimits | null {
    const policies = config === null ? [] : policiesOf(config);
    return policies.length === 0
      ? null
      : new RateLimits(redis, new Map(policies.map((policy) => [policy.name, policy])));
  }

  policy(name: RateName): RatePolicy | null {
    return this.policies.get(name) ?? null;
  }

  /** @param subject whose limit it is, in full; only a hash of it is stored */
  async take(policy: RatePolicy, subject: string, units: number): Promise<RateVerdict> {
    const args = [units, drainUs(policy), policy.quota];
    const reply = await takeScript.run(this.redis, [keyOf(policy.name, subject)], args);
    if (!Array.isArray(reply) || reply.length !== 3) throw new Error('unexpected reply of take-rate.lua');
    const [waitUs = 0, remaining = 0, resetUs = 0] = reply.map(Number);
    const state = { policy, remaining, resetMs: Math.ceil(resetUs / 1000) };
    if (waitUs === 0) return { kind: 'taken', state };
    return waitUs < 0 ? { kind: 'too large', state } : { kind: 'refused', state, waitMs: Math.ceil(waitUs / 1000) };
  }

  /** Takes back a `take` whose purpose did not come about. */
  async giveBack(policy: RatePolicy, subject: string, units: number): Promise<void> {
    await giveBackScript.run(this.redis, [keyOf(policy.name, subject)], [units, drainUs(policy)]);
  }
}

function policiesOf({ requests_per_s: perSecond, burst, tokens_per_min: perMinute }: RateLimitsConfig): RatePolicy[] {
  const policies: RatePolicy[] = [];
  if (perSecond !== null) {
    const quota = burst ?? Math.max(1, Math.ceil(perSecond));
    policies.push({ name: 'requests', quota, windowMs: (quota / perSecond) * 1000 });
  }
  if (perMinute !== null) policies.push({ name: 'tokens', quota: perMinute, windowMs: 60_000 });
  return policies;
}

function drainUs({ quota, windowMs }: RatePolicy): number {
  return (windowMs * 1000) / quota;
}

function keyOf(name: RateName, subject: string): string {
  return `${keyPrefix}:rate:${name}:${createHash('sha256').update(subject).digest('hex').slice(0, 32)}`;
}
