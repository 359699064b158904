import { keyPrefix } from '../../platform/redis/redis-connections.js';

/** Hash of one session: see reserve-turn.lua. */
export const sessionKey = (sessionId: string): string => `${keyPrefix}:session:${sessionId}`;

/** Sorted set of the open turns of all sessions, `<session>:<task>` by when they reserved, Unix ms. */
export const openTurnsKey = `${keyPrefix}:session-turns`;
