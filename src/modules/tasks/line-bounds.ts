import type { Priority } from '../../contract/common.js';
import { batchShare, type LineBounds, type OverdueShare } from '../admission/index.js';
import { runRecordKey } from '../events/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';

/** Bounds of a pool's line for a class of tasks. */
export function lineBounds(pool: LivePool, priority: Priority, pools: PoolRegistry): LineBounds {
  const { queue, admission } = pool.config;
  const ofClass = admission.priorities.find(({ name }) => name === priority)?.queue_capacity;
  const isShed = queue.full_policy === 'shed-low-priority' && priority === 'batch';
  const { leaseKeys, workersKey } = pools.keysOf(pool);
  return {
    capacity: isShed ? watermark(queue.capacity, queue.shed_watermark) : queue.capacity,
    classCapacity: ofClass ?? null,
    makesRoom: queue.full_policy === 'drop-lru',
    slots: pool.slots,
    share: overdueShare(pool),
    leaseKeys,
    workersKey,
  };
}

/** What overdue batch tasks of a pool get before interactive ones. */
export function overdueShare({ config: { admission }, slots }: LivePool): OverdueShare {
  const share = batchShare(slots, admission.batch_share);
  return {
    slots: share.slots,
    between: share.between,
    maxWaitMs: admission.batch_max_wait_ms,
    runPrefix: runRecordKey(''),
  };
}

/** Tasks that may wait before batch is shed. A tenth of a place is no place, but 0.29 of 100 are 29, whatever floating point makes of it. */
function watermark(capacity: number, share: number): number {
  return Math.floor(capacity * share + 1e-6);
}
