import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { runningKey } from './pool-keys.js';

/** A task that holds a slot. */
export interface RunningTask {
  /** Tokens it is expected to make. */
  readonly expectedTokens: number;
  /** Unix ms */
  readonly startedMs: number;
}

/** What a process that has said nothing for so long runs is not known any more. */
const silenceMs = 5000;

/**
 * Who runs what since when, for predictions: each process writes its own tasks now and then and reads those of the others. Nothing depends on
 * it; the leases alone say which slots are taken.
 */
export class RunningBoard {
  private readonly own = new Map<string, Map<string, RunningTask>>();
  private readonly others = new Map<string, RunningTask[]>();
  /** Pools for which tasks of this process stand on the board. */
  private readonly written = new Set<string>();

  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly processId: string,
  ) {}

  /** @param run names an attempt: the next one of the same task may begin before it ends */
  begin(poolId: string, run: string, task: RunningTask): void {
    const running = this.own.get(poolId);
    if (running === undefined) this.own.set(poolId, new Map([[run, task]]));
    else running.set(run, task);
  }

  end(poolId: string, run: string): void {
    this.own.get(poolId)?.delete(run);
  }

  /** The running tasks of a pool: own ones as of now, others as of the last `refresh`. */
  of(poolId: string): RunningTask[] {
    return [...(this.own.get(poolId)?.values() ?? []), ...(this.others.get(poolId) ?? [])];
  }

  /** Rejects when Redis is away. */
  async refresh(poolId: string): Promise<void> {
    const now = this.clock.now();
    const own = [...(this.own.get(poolId)?.values() ?? [])];
    const key = runningKey(poolId);
    const pipeline = this.redis.pipeline().hgetall(key);
    if (own.length > 0) {
      const tasks = own.map(({ expectedTokens, startedMs }) => [expectedTokens, startedMs]);
      pipeline.hset(key, this.processId, JSON.stringify([now, tasks]));
      this.written.add(poolId);
    } else if (this.written.delete(poolId)) pipeline.hdel(key, this.processId);
    const replies = (await pipeline.exec()) ?? [];
    const [error, fields] = replies[0] ?? [];
    if (error) throw error;
    await this.read(poolId, (fields ?? {}) as Record<string, string>, now);
  }

  private async read(poolId: string, fields: Readonly<Record<string, string>>, now: number): Promise<void> {
    const found: RunningTask[] = [];
    const gone: string[] = [];
    for (const [processId, json] of Object.entries(fields)) {
      if (processId === this.processId) continue;
      // Written by ourselves, above.
      const [saidMs, tasks] = JSON.parse(json) as [number, [number, number][]];
      if (saidMs < now - silenceMs) gone.push(processId);
      else for (const [expectedTokens, startedMs] of tasks) found.push({ expectedTokens, startedMs });
    }
    this.others.set(poolId, found);
    if (gone.length > 0) await this.redis.hdel(runningKey(poolId), ...gone);
  }
}
