import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ensureFree } from '../../platform/http/ensure-free.js';
import { RedisConnections } from '../../platform/redis/redis-connections.js';
import { readableFailure } from './readable-failure.js';

describe('a start that failed', () => {
  it('because of the host in BIND_ADDR blames that, and no store', async () => {
    const text = readableFailure(await failureOf(ensureFree({ host: 'nobody.invalid', port: 80 })));
    expect(text).toContain('nobody.invalid');
    expect(text).toContain('BIND_ADDR');
    expect(text).not.toContain('REDIS_URL');
  });

  it('because nothing listens where Redis should says which address', async () => {
    expect(await failureOfRedis('redis://:geheim@127.0.0.1:1', 100)).toBe(
      "Could not start: Redis at 127.0.0.1:1 can't be reached: connect ECONNREFUSED 127.0.0.1:1. Check REDIS_URL.",
    );
  });

  it.each([
    ['-NOAUTH HELLO must be called with the client already authenticated', 'asks for a password'],
    ['-WRONGPASS invalid username-password pair or user is disabled.', 'refuses us (WRONGPASS invalid'],
  ])('because Redis says %s is told at once, without a stack or the password', async (answer, what) => {
    const redis = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on('data', (sent) => {
          const commands = sent.toString().match(/^\*\d+\r$/gm)?.length ?? 0;
          socket.write(`${answer}\r\n`.repeat(commands));
        });
    }).listen(0, '127.0.0.1');
    await once(redis, 'listening');
    const { port } = redis.address() as { port: number };
    // The time given is longer than the test may take: waiting for it would fail.
    const text = await failureOfRedis(`redis://:geheim@127.0.0.1:${port}`, 600_000);
    expect(text).toContain(`Redis at 127.0.0.1:${port} ${what}`);
    expect(text).toContain('REDIS_URL');
    expect(text).not.toMatch(/geheim|\n/);
    redis.close();
  });
});

async function failureOfRedis(url: string, timeoutMs: number): Promise<string> {
  const connections = new RedisConnections(url, () => undefined);
  try {
    return readableFailure(await failureOf(connections.ready(timeoutMs)));
  } finally {
    connections.close();
  }
}

function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error('it worked'),
    (error: unknown) => error,
  );
}
