import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Hash: the live side of a task: fence, attempts, followers, request, class. */
export const runRecordKey = (taskId: string): string => runRecordPrefix + taskId;
export const runRecordPrefix = `${keyPrefix}:run:`;
/** Stream: the task's events in chunks. */
export const eventLogKey = (taskId: string): string => eventLogPrefix + taskId;
export const eventLogPrefix = `${keyPrefix}:events:`;
/** Pub/sub channel on which a hub (one per api process) hears of new events. */
export const hubChannelPrefix = `${keyPrefix}:hub:`;
/** Pub/sub channel on which workers hear that a task was closed by somebody else. */
export const closedChannel = `${keyPrefix}:closed`;
