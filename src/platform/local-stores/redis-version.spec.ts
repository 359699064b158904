import { describe, expect, it } from 'vitest';

import { assertRedisVersion } from './redis-version.js';

describe('the Redis version', () => {
  it.each([
    ['redis_version:6.2.0\r\nredis_git_sha1:0', '6.2.0'],
    ['redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n', '8.0.1'],
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', '7.0.15'],
    ['Valkey server v=8.1.0 sha=00000000:0', '8.1.0'],
    ['redis_version:10.0.0', '10.0.0'],
  ])('is read from %j', (info, version) => {
    expect(assertRedisVersion(info)).toBe(version);
  });

  it.each(['redis_version:6.0.16', 'Redis server v=5.0.7 sha=00000000:0'])('is refused when too old: %j', (info) => {
    expect(() => assertRedisVersion(info)).toThrow(/too old: at least 6[.]2/);
  });

  it('is refused when nobody tells it', () => {
    expect(() => assertRedisVersion('hello')).toThrow(/does not tell its version/);
  });
});
