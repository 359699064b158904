import type { Redis } from 'ioredis';
import { perfKey } from './pool-keys.js';

/** Measured speed of a pool, shared by all processes. */
export interface PoolPerf {
  readonly tokensPerS: number | null;
  readonly firstTokenMs: number | null;
}

/** Weight of the newest task in the moving average: about the last ten tasks count. */
const newestWeight = 0.2;

/** Exponentially weighted moving averages of what tasks of a pool measured; in Redis, so that every api process estimates alike. */
export class PoolPerfRecorder {
  private readonly known = new Map<string, PoolPerf>();

  constructor(private readonly redis: Redis) {}

  /** What is known here; refreshed by `refresh` and `record`. */
  of(poolId: string): PoolPerf {
    return this.known.get(poolId) ?? { tokensPerS: null, firstTokenMs: null };
  }

  /** Counts one finished task in. Two processes at the same time may lose one sample: it is an average. */
  async record(poolId: string, sample: { tokensOut: number; decodeTimeMs: number; firstTokenMs: number }): Promise<void> {
    await this.refresh(poolId);
    const before = this.of(poolId);
    const decodeMs = sample.decodeTimeMs - sample.firstTokenMs;
    const speed = sample.tokensOut > 1 && decodeMs > 0 ? ((sample.tokensOut - 1) / decodeMs) * 1000 : null;
    const next = { tokensPerS: blend(before.tokensPerS, speed), firstTokenMs: blend(before.firstTokenMs, sample.firstTokenMs) };
    this.known.set(poolId, next);
    const fields = { ...(next.tokensPerS !== null && { tps: next.tokensPerS }), ...(next.firstTokenMs !== null && { ftm: next.firstTokenMs }) };
    if (Object.keys(fields).length > 0) await this.redis.hset(perfKey(poolId), fields);
  }

  /** Reads what other processes measured. Keeps what it knows while Redis is away. */
  async refresh(poolId: string): Promise<void> {
    try {
      const [tps, ftm] = await this.redis.hmget(perfKey(poolId), 'tps', 'ftm');
      this.known.set(poolId, { tokensPerS: number(tps), firstTokenMs: number(ftm) });
    } catch {
      // What was known stays.
    }
  }
}

function blend(before: number | null, newest: number | null): number | null {
  if (newest === null) return before;
  return before === null ? newest : before + newestWeight * (newest - before);
}

function number(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}
