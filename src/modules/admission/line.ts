import type { Redis } from 'ioredis';
import type { Priority } from '../../contract/common.js';
import type { Clock } from '../../platform/clock/clock.js';
import { GatheredCalls } from '../../platform/redis/gathered-calls.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import {
  entranceOf,
  entryOutcome,
  lineKeys,
  type Entrance,
  type EntryOutcome,
  type LineBounds,
  type LineEntry,
} from './entrance.js';
import { droppedKey, lineKey, lineSumsKey, lineTokensKey } from './line-keys.js';

/** Functions that scripts need which say where in line a task stands. */
export const startOrderLua = new URL('./start-order.lua', import.meta.url);

const enterScript = new LuaScript(new URL('./enter-line.lua', import.meta.url), startOrderLua);
const leaveScript = new LuaScript(new URL('./leave-line.lua', import.meta.url));

/** How long a line is. */
export interface LineDepth {
  readonly interactive: number;
  readonly batch: number;
  /** Tokens the waiting tasks are expected to make. */
  readonly tokens: number;
  /** The same by class. */
  readonly tokensOf: Readonly<Record<Priority, number>>;
}

/** Entries of one script call at the most. */
const mostEntries = 16;

/** The exact ledger of who waits for a pool, in Redis. Rejects when Redis is away. */
export class Line {
  private readonly entering = new GatheredCalls<Entrance, LineEntry, EntryOutcome>(
    (entrance, entries) => this.ask(entrance, entries, false),
    mostEntries,
  );

  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
  ) {}

  /** Takes a place, where the bounds allow it or another task may be dropped for it. Who asks in the same turn shares a trip. */
  enter(entry: LineEntry, bounds: LineBounds): Promise<EntryOutcome> {
    const entrance = entranceOf(entry, bounds);
    return this.entering.add(entrance.kind, entrance, entry);
  }

  /** What `enter` would answer now. Changes nothing. */
  async foresee(entry: LineEntry, bounds: LineBounds): Promise<EntryOutcome> {
    const [outcome] = await this.ask(entranceOf(entry, bounds), [entry], true);
    if (outcome === undefined) throw new Error('no reply of enter-line.lua');
    return outcome;
  }

  private async ask(
    { keys, args }: Entrance,
    entries: readonly LineEntry[],
    onlyLooks: boolean,
  ): Promise<EntryOutcome[]> {
    const tasks = entries.flatMap(({ taskId, expectedTokens }) => [taskId, expectedTokens]);
    const reply = await enterScript.run(this.redis, keys, [...args, this.clock.now(), onlyLooks ? 1 : 0, ...tasks]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of enter-line.lua');
    return reply.map(entryOutcome);
  }

  /** Gives up places; those not in line are ignored. */
  async leave(poolId: string, ...taskIds: readonly string[]): Promise<void> {
    await leaveScript.run(this.redis, lineKeys(poolId), taskIds);
  }

  /** Waiting tasks by class. */
  async depth(poolId: string): Promise<Record<Priority, number>> {
    const [interactive, batch] = await Promise.all([
      this.redis.zcard(lineKey(poolId, 'interactive')),
      this.redis.zcard(lineKey(poolId, 'batch')),
    ]);
    return { interactive, batch };
  }

  /** Waiting tasks by class, and the tokens they are expected to make. */
  async depthAndTokens(poolId: string): Promise<LineDepth> {
    const [depth, sums] = await Promise.all([
      this.depth(poolId),
      this.redis.hmget(lineSumsKey(poolId), 'interactive', 'batch'),
    ]);
    const [interactive = 0, batch = 0] = sums.map((text) => Number(text ?? 0));
    return { ...depth, tokens: interactive + batch, tokensOf: { interactive, batch } };
  }

  /** The place of a task as `enter` would tell it now; 0 when it does not wait. */
  async positionOf(task: Pick<LineEntry, 'taskId' | 'poolId' | 'priority'>, bounds: LineBounds): Promise<number> {
    const { kind, view } = await this.foresee({ ...task, expectedTokens: 0 }, bounds);
    return kind === 'present' ? view.position : 0;
  }

  /** Whether a task has lost its place to another and is not known to have ended. */
  async isDropped(poolId: string, taskId: string): Promise<boolean> {
    return (await this.redis.zscore(droppedKey(poolId), taskId)) !== null;
  }

  /** Tasks that lost their places before `beforeMs` (Unix ms) and are not known to have ended, oldest first, with the time; at most `count`. */
  async dropped(poolId: string, beforeMs: number, count: number): Promise<{ taskId: string; atMs: number }[]> {
    const flat = await this.redis.zrangebyscore(droppedKey(poolId), '-inf', beforeMs, 'WITHSCORES', 'LIMIT', 0, count);
    return flat.flatMap((taskId, at) => (at % 2 === 0 ? [{ taskId, atMs: Number(flat[at + 1]) }] : []));
  }

  /** A dropped task has ended. */
  async forgetDropped(poolId: string, taskId: string): Promise<void> {
    await this.redis.zrem(droppedKey(poolId), taskId);
  }

  /** Some who wait, interactive ones first, each class in order of entry. @param from how many are passed over */
  async page(poolId: string, from: number, count: number): Promise<string[]> {
    const ranks = (key: string, first: number, last: number): Promise<string[]> =>
      this.redis.zrange(key, String(first), String(last));
    const interactive = await ranks(lineKey(poolId, 'interactive'), from, from + count - 1);
    if (interactive.length === count) return interactive;
    const passed = await this.redis.zcard(lineKey(poolId, 'interactive'));
    const first = Math.max(0, from - passed);
    const rest = await ranks(lineKey(poolId, 'batch'), first, first + count - interactive.length - 1);
    return [...interactive, ...rest];
  }

  /** Tasks of a class that entered before `beforeMs` (Unix ms) and still wait: one page after the other, oldest first. */
  async *enteredBefore(poolId: string, priority: Priority, beforeMs: number, count: number): AsyncGenerator<string[]> {
    for (let after = '-inf'; ;) {
      const flat = await this.redis.zrangebyscore(
        lineKey(poolId, priority),
        after,
        '+inf',
        'WITHSCORES',
        'LIMIT',
        0,
        count,
      );
      const taskIds = flat.filter((_, at) => at % 2 === 0);
      if (taskIds.length === 0) return;
      const entries = await this.redis.hmget(lineTokensKey(poolId), ...taskIds);
      const old = taskIds.filter((_, place) => Number(entries[place]?.split(',')[1]) < beforeMs);
      if (old.length > 0) yield old;
      if (old.length < count) return;
      after = `(${flat.at(-1) ?? ''}`;
    }
  }
}
