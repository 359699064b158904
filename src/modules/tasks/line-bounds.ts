import type { Priority } from '../../contract/common.js';
import type { LineBounds } from '../admission/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';

/** Bounds of a pool's line for a class of tasks. */
export function lineBounds(pool: LivePool, priority: Priority, pools: PoolRegistry): LineBounds {
  const { queue, admission } = pool.config;
  const ofClass = admission.priorities.find(({ name }) => name === priority)?.queue_capacity;
  return { capacity: queue.capacity, classCapacity: ofClass ?? null, slots: pool.slots, ...pools.keysOf(pool) };
}
