import type { Redis } from 'ioredis';
import { perfKey } from './pool-keys.js';

/** Measured speed of a pool, shared by all processes. */
export interface PoolPerf {
  readonly tokensPerS: number | null;
  readonly firstTokenMs: number | null;
  /** Output of a task, tokens. */
  readonly taskTokens: number | null;
}

/** Weight of the newest task in the moving average: about the last ten tasks count. */
const newestWeight = 0.2;

/** Exponentially weighted moving averages of what tasks of a pool measured; in Redis, so that every api process estimates alike. */
export class PoolPerfRecorder {
  private readonly known = new Map<string, PoolPerf>();
  private readonly unsaved = new Set<string>();

  constructor(private readonly redis: Redis) {}

  /** What is known here; brought up to date by `refresh`. */
  of(poolId: string): PoolPerf {
    return this.known.get(poolId) ?? { tokensPerS: null, firstTokenMs: null, taskTokens: null };
  }

  /** Counts one finished task in; written by the next `refresh`. */
  record(poolId: string, sample: { tokensOut: number; decodeTimeMs: number; firstTokenMs: number }): void {
    const before = this.of(poolId);
    const decodeMs = sample.decodeTimeMs - sample.firstTokenMs;
    const speed = sample.tokensOut > 1 && decodeMs > 0 ? ((sample.tokensOut - 1) / decodeMs) * 1000 : null;
    this.known.set(poolId, {
      tokensPerS: blend(before.tokensPerS, speed),
      firstTokenMs: blend(before.firstTokenMs, sample.firstTokenMs),
      taskTokens: blend(before.taskTokens, sample.tokensOut),
    });
    this.unsaved.add(poolId);
  }

  /**
   * Writes what was measured here, else reads what other processes measured. Two processes that measure at once overwrite each other:
   * both are averages of the same pool. Keeps what it knows while Redis is away.
   */
  async refresh(poolId: string): Promise<void> {
    try {
      if (this.unsaved.delete(poolId)) await this.save(poolId);
      else await this.load(poolId);
    } catch {
      // What was known stays.
    }
  }

  private async save(poolId: string): Promise<void> {
    const { tokensPerS, firstTokenMs, taskTokens } = this.of(poolId);
    const fields = {
      ...(tokensPerS !== null && { tps: tokensPerS }),
      ...(firstTokenMs !== null && { ftm: firstTokenMs }),
      ...(taskTokens !== null && { tpt: taskTokens }),
    };
    if (Object.keys(fields).length > 0) await this.redis.hset(perfKey(poolId), fields);
  }

  private async load(poolId: string): Promise<void> {
    const [tps, ftm, tpt] = await this.redis.hmget(perfKey(poolId), 'tps', 'ftm', 'tpt');
    if (this.unsaved.has(poolId)) return;
    this.known.set(poolId, { tokensPerS: number(tps), firstTokenMs: number(ftm), taskTokens: number(tpt) });
  }
}

function blend(before: number | null, newest: number | null): number | null {
  if (newest === null) return before;
  return before === null ? newest : before + newestWeight * (newest - before);
}

function number(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}
