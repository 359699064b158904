import { messageOf } from '../errors/message-of.js';

/** The configured Redis can't be used. The message says which one, why and what to do; it never holds a password. */
export class RedisConnectionError extends Error {
  override readonly name = 'RedisConnectionError';
}

/** An answer that will be the same however often one asks. */
const refusals = /^(?:NOAUTH|WRONGPASS|NOPERM|ERR (?:AUTH|invalid password|DB index))\b/;

export function isRefusal(error: Error): boolean {
  return refusals.test(error.message);
}

/** @param url of the Redis; only its host and port are told */
export function unusable(url: string, error: Error): RedisConnectionError {
  const { hostname, port } = new URL(url);
  const place = `Redis at ${hostname || '127.0.0.1'}:${port || '6379'}`;
  if (error.message.startsWith('NOAUTH'))
    return new RedisConnectionError(
      `${place} asks for a password. Put it into REDIS_URL: redis://:password@host:6379.`,
    );
  if (isRefusal(error))
    return new RedisConnectionError(
      `${place} refuses us (${error.message}). Check the user, password and database number in REDIS_URL.`,
    );
  return new RedisConnectionError(`${place} can't be reached: ${messageOf(error)}. Check REDIS_URL.`);
}
