import { Redis, type RedisOptions } from 'ioredis';
import { gatherWrites } from './gathered-writes.js';
import { LuaScript } from './lua-script.js';
import { isRefusal, unusable } from './redis-connection.errors.js';

/** All our keys share one hash tag, so that scripts may touch several of them. */
export const keyPrefix = '{orchd}';

const backOff = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 6), 1000);

/** A Redis that keeps its connection and says nothing for so long is as good as away. */
const silenceMs = 4000;

/**
 * The process's connections to Redis. `commands` fails soon while Redis is away (callers answer 503 or try again); `subscriber` and
 * connections made by `blocking()` wait for it. All reconnect by themselves for ever.
 */
export class RedisConnections {
  readonly commands: Redis;
  readonly subscriber: Redis;
  private readonly others: Redis[] = [];

  constructor(
    private readonly url: string,
    private readonly onError: (error: Error) => void,
  ) {
    this.commands = this.connect({
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: silenceMs,
      connectionName: 'orchd-commands',
    });
    this.subscriber = this.connect({ maxRetriesPerRequest: null, connectionName: 'orchd-subscriber' });
    this.commands.on('ready', () => {
      LuaScript.loadAll(this.commands).catch(() => undefined);
    });
  }

  /** A connection of its own for a caller that blocks on it (a BullMQ worker). */
  blocking(): Redis {
    const connection = this.connect({ maxRetriesPerRequest: null, connectionName: 'orchd-worker' });
    this.others.push(connection);
    return connection;
  }

  /** Resolves when commands can be sent; rejects with RedisConnectionError after `timeoutMs`, or at once when we are refused. */
  async ready(timeoutMs: number): Promise<void> {
    try {
      if (this.commands.status !== 'ready') await this.firstReady(timeoutMs);
      await LuaScript.loadAll(this.commands);
    } catch (error) {
      throw unusable(this.url, error instanceof Error ? error : new Error(String(error)));
    }
  }

  close(): void {
    for (const connection of [this.commands, this.subscriber, ...this.others]) connection.disconnect();
  }

  private firstReady(timeoutMs: number): Promise<void> {
    const { commands } = this;
    let lastError = new Error(`no answer within ${timeoutMs} ms`);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        commands.off('ready', onReady).off('error', onError);
        act();
      };
      const onReady = (): void => settle(resolve);
      const onError = (error: Error): void => {
        lastError = error;
        if (isRefusal(error)) settle(() => reject(error));
      };
      const timer = setTimeout(() => settle(() => reject(lastError)), timeoutMs);
      commands.once('ready', onReady).on('error', onError);
    });
  }

  private connect(options: RedisOptions): Redis {
    const connection = new Redis(this.url, {
      retryStrategy: backOff,
      connectTimeout: 5000,
      autoResendUnfulfilledCommands: false,
      ...options,
    });
    connection.on('error', this.onError);
    connection.on('connect', () => gatherWrites(connection));
    return connection;
  }
}
