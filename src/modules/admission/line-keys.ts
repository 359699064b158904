import type { Priority } from '../../contract/common.js';
import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Sorted set: the waiting tasks of one class of a pool, by order of entry. */
export const lineKey = (poolId: string, priority: Priority): string => `${keyPrefix}:line:${poolId}:${priority}`;
/** Hash: for each waiting task `<expected tokens>,<entered, Unix ms>`. */
export const lineTokensKey = (poolId: string): string => `${keyPrefix}:line:${poolId}:tokens`;
/** Hash: expected tokens waiting, by class; and `passed`, interactive tasks that have started since the last batch task. */
export const lineSumsKey = (poolId: string): string => `${keyPrefix}:line:${poolId}:sums`;
/** Sorted set: tasks that lost their place to others and whose logs are not known to be closed yet, by when (Unix ms). */
export const droppedKey = (poolId: string): string => `${keyPrefix}:line:${poolId}:dropped`;
/** Counter: the order of entry over all pools. */
export const lineSequenceKey = `${keyPrefix}:line-sequence`;
/** Which process looks after a line: see the room `waiting`. */
export const lineKeeperKey = (poolId: string): string => `${keyPrefix}:line:${poolId}:keeper`;
