import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Clock } from '../../platform/clock/clock.js';
import { gpuMemoryKey } from './pool-keys.js';

/** Memory of the GPUs under a replica, summed up. */
export interface Vram {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** Total and free, in bytes, and when they were looked at, Unix ms. */
const measured = z.tuple([z.number().nonnegative(), z.number().nonnegative(), z.number()]);

/** What is older says nothing of now. The clocks of machines differ by less. */
const freshMs = 30_000;

/**
 * What nvidia-smi tells of the GPUs under replicas, in Redis: who stands beside an engine looks, all processes go by it. While Redis is away
 * what is known stands.
 */
export class GpuMemory {
  private readonly known = new Map<string, ReadonlyMap<string, Vram>>();

  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
  ) {}

  /** By replica, as of the last `refresh`; those that nobody has looked at lately are not there. */
  of(poolId: string): ReadonlyMap<string, Vram> {
    return this.known.get(poolId) ?? nothing;
  }

  /** Tells all processes what was seen just now, by replica. Rejects when Redis is away: the next look tells it again. */
  async tell(poolId: string, seen: ReadonlyMap<string, Vram>): Promise<void> {
    if (seen.size === 0) return;
    const now = this.clock.now();
    const fields = [...seen].flatMap(([id, { totalBytes, freeBytes }]) => [
      id,
      JSON.stringify([totalBytes, freeBytes, now]),
    ]);
    const key = gpuMemoryKey(poolId);
    await this.redis
      .pipeline()
      .hset(key, ...fields)
      .pexpire(key, freshMs)
      .exec();
  }

  /** Rejects when Redis is away. */
  async refresh(poolId: string): Promise<void> {
    const fields = await this.redis.hgetall(gpuMemoryKey(poolId));
    const oldest = this.clock.now() - freshMs;
    const found = Object.entries(fields).flatMap(([id, json]): [string, Vram][] => {
      const [totalBytes, freeBytes, atMs] = read(json) ?? unread;
      return atMs < oldest ? [] : [[id, { totalBytes, freeBytes }]];
    });
    this.known.set(poolId, new Map(found));
  }
}

const nothing: ReadonlyMap<string, Vram> = new Map();
const unread = [0, 0, Number.NEGATIVE_INFINITY] as const;

function read(json: string): z.infer<typeof measured> | null {
  try {
    return measured.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}
