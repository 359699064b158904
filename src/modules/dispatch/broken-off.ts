import type { Clock } from '../../platform/clock/clock.js';
import type { EventLog } from '../events/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { EndTask, OpenTask } from '../tasks/index.js';
import { noReplica } from './run-errors.js';

/**
 * Tasks whose workers were lost in the middle of the answer, and that no other can take up because their pool has no replica: their
 * readers wait for that as long as for a silent engine. A worker that waits for a replica itself ends its task after the same time.
 */
export class BrokenOff {
  private before = new Map<string, number>();
  private now = new Map<string, number>();

  constructor(
    private readonly with_: {
      readonly pools: Pick<PoolRegistry, 'find'>;
      readonly log: Pick<EventLog, 'tokens'>;
      readonly endTask: Pick<EndTask, 'fail'>;
      readonly clock: Clock;
    },
  ) {}

  /** @param fence of its last attempt, whose lease has run out */
  async look({ taskId, poolId }: Pick<OpenTask, 'taskId' | 'poolId'>, fence: string): Promise<void> {
    const { pools, log, endTask, clock } = this.with_;
    const pool = pools.find(poolId);
    if (pool === null || pool.ready) return;
    const sinceMs = this.before.get(taskId) ?? clock.now();
    this.now.set(taskId, sinceMs);
    if (clock.now() - sinceMs < pool.config.timeouts.idle_ms || (await log.tokens(taskId)) === 0) return;
    await endTask.fail(taskId, noReplica(pool), fence);
  }

  /** Those that were not looked at since the last call are taken care of. */
  forgetOthers(): void {
    this.before = this.now;
    this.now = new Map();
  }
}
