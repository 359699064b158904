import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const loaded: LuaScript[] = [];

/** A Lua script in a file of its own; the file's header says its keys, arguments, reply and invariant. Sent by digest, and once whole. */
export class LuaScript {
  private readonly source: string;
  private readonly digest: string;

  /**
   * @param file URL of the `.lua` file: `new URL('./x.lua', import.meta.url)`.
   * @param shared files of local functions that it uses; they stand before it
   */
  constructor(file: URL, ...shared: readonly URL[]) {
    this.source = [...shared, file].map((part) => readFileSync(part, 'utf8')).join('\n');
    this.digest = createHash('sha1').update(this.source).digest('hex');
    loaded.push(this);
  }

  /** Runs it atomically; text replies are strings. Rejects when Redis is away or the script fails. */
  run(redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return redis
      .call('EVALSHA', this.digest, keys.length, ...keys, ...args)
      .catch((error: unknown) =>
        isUnknownScript(error) ? redis.call('EVAL', this.source, keys.length, ...keys, ...args) : raise(error),
      );
  }

  /** The same with binary-safe replies: every text is a Buffer. */
  runBuffer(redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    return redis
      .callBuffer('EVALSHA', this.digest, keys.length, ...keys, ...args)
      .catch((error: unknown) =>
        isUnknownScript(error) ? redis.callBuffer('EVAL', this.source, keys.length, ...keys, ...args) : raise(error),
      );
  }

  /** Puts every script of the program into the server's cache, so that no first call pays for it. Called whenever a connection is made. */
  static async loadAll(redis: Redis): Promise<void> {
    await Promise.all(loaded.map((script) => redis.call('SCRIPT', 'LOAD', script.source)));
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function raise(error: unknown): never {
  throw error;
}
