import { LocalStoreError } from './local-store.errors.js';

const LEAST = [6, 2] as const;

/**
 * Refuses a Redis older than 6.2.
 *
 * @param info the answer of `INFO server`, or the line `redis-server --version` prints; Valkey's of either kind too
 * @returns the version, such as `7.0.15`
 */
export function assertRedisVersion(info: string): string {
  // Valkey also reports the Redis version it is compatible with, always 7.2.4; its own number is what people know.
  const version = (/valkey_version:([\d.]+)/.exec(info) ??
    /redis_version:([\d.]+)/.exec(info) ??
    /\bv=([\d.]+)/.exec(info))?.[1];
  if (version === undefined)
    throw new LocalStoreError('The Redis server does not tell its version; at least 6.2 is needed.');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
    throw new LocalStoreError(
      `Redis ${version} is too old: at least ${LEAST.join('.')} is needed (any Valkey will do).`,
    );
  }
  return version;
}
