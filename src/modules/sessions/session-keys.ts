import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Channel on which the ids of sessions that were deleted are told. */
export const evictedChannel = `${keyPrefix}:session-evicted`;

/** Begin of the keys of all sessions. */
export const sessionKeyPrefix = `${keyPrefix}:session:`;

/** Hash of one session: see reserve-turn.lua. */
export const sessionKey = (sessionId: string): string => `${sessionKeyPrefix}${sessionId}`;

/** Sorted set of the open turns of all sessions, `<session>:<task>` by when they reserved, Unix ms. */
export const openTurnsKey = `${keyPrefix}:session-turns`;
