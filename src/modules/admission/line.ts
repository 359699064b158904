import type { Redis } from 'ioredis';
import type { Priority } from '../../contract/common.js';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import type { BatchShare } from './batch-share.js';
import { droppedKey, lineKey, lineSequenceKey, lineSumsKey, lineTokensKey } from './line-keys.js';

/** Functions that scripts need which say where in line a task stands. */
export const startOrderLua = new URL('./start-order.lua', import.meta.url);

const enterScript = new LuaScript(new URL('./enter-line.lua', import.meta.url), startOrderLua);
const leaveScript = new LuaScript(new URL('./leave-line.lua', import.meta.url));

export interface LineEntry {
  readonly taskId: string;
  readonly poolId: string;
  readonly priority: Priority;
  readonly expectedTokens: number;
}

/** What overdue batch tasks of a pool get before interactive ones, as its scripts need it. */
export interface OverdueShare extends BatchShare {
  /** Batch tasks are overdue that have waited for so long. */
  readonly maxWaitMs: number;
  /** What the keys of run records begin with. */
  readonly runPrefix: string;
}

/** `share` of the scripts, see start-order.lua. */
export function shareArgs({ slots, between, maxWaitMs, runPrefix }: OverdueShare): (string | number)[] {
  return [slots, between, maxWaitMs, runPrefix];
}

/** Bounds and surroundings of a pool's line. */
export interface LineBounds {
  /** Waiting tasks at most; null: no bound (re-queueing what was accepted before). */
  readonly capacity: number | null;
  readonly classCapacity: number | null;
  /** Whether the oldest waiting task of the lowest class makes room for a newcomer where a bound is reached. */
  readonly makesRoom: boolean;
  readonly slots: number;
  readonly share: OverdueShare;
  /** Redis keys of the pool's leases and of its live workers. */
  readonly leaseKeys: readonly string[];
  readonly workersKey: string;
}

/** How long a line is. */
export interface LineDepth {
  readonly interactive: number;
  readonly batch: number;
  /** Tokens the waiting tasks are expected to make. */
  readonly tokens: number;
  /** The same by class. */
  readonly tokensOf: Readonly<Record<Priority, number>>;
}

/** How a line looked at the moment of entry, the newcomer not counted. */
export interface LineView {
  /** Waiting tasks that would start before this one if slots came free at this moment (start-order.lua), free slots taken off. */
  readonly position: number;
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Tokens the waiting tasks are expected to make. */
  readonly tokens: Readonly<Record<Priority, number>>;
  readonly busySlots: number;
}

export interface EntryOutcome {
  /** `full`: a bound forbids it. `present`: the task waits already, or has begun. `dropped`: it lost its place before, and is about to end. */
  readonly kind: 'full' | 'entered' | 'present' | 'dropped';
  readonly view: LineView;
  /** The task that lost its place to this one: it must be ended, see `dropped`. */
  readonly droppedTaskId: string | null;
}

/** The exact ledger of who waits for a pool, in Redis. Rejects when Redis is away. */
export class Line {
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
  ) {}

  /** Takes a place, where the bounds allow it or another task may be dropped for it. */
  enter(entry: LineEntry, bounds: LineBounds): Promise<EntryOutcome> {
    return this.ask(entry, bounds, false);
  }

  /** What `enter` would answer now. Changes nothing. */
  foresee(entry: LineEntry, bounds: LineBounds): Promise<EntryOutcome> {
    return this.ask(entry, bounds, true);
  }

  private async ask(entry: LineEntry, bounds: LineBounds, onlyLooks: boolean): Promise<EntryOutcome> {
    const { poolId, priority, taskId, expectedTokens } = entry;
    const keys = [...lineKeys(poolId), droppedKey(poolId), lineSequenceKey, bounds.workersKey, ...bounds.leaseKeys];
    const args = [
      taskId,
      priority,
      bounds.capacity ?? -1,
      bounds.classCapacity ?? -1,
      expectedTokens,
      this.clock.now(),
      bounds.slots,
      bounds.makesRoom ? 1 : 0,
      onlyLooks ? 1 : 0,
      ...shareArgs(bounds.share),
    ];
    const reply = await enterScript.run(this.redis, keys, args);
    return entryOutcome(reply);
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

  /** Tasks that entered before `beforeMs` (Unix ms) and still wait. */
  async enteredBefore(poolId: string, beforeMs: number): Promise<string[]> {
    const entries = await this.redis.hgetall(lineTokensKey(poolId));
    return Object.entries(entries).flatMap(([taskId, value]) =>
      Number(value.split(',')[1]) < beforeMs ? [taskId] : [],
    );
  }
}

/** KEYS 1–4 of the line's scripts. */
export function lineKeys(poolId: string): string[] {
  return [lineKey(poolId, 'interactive'), lineKey(poolId, 'batch'), lineTokensKey(poolId), lineSumsKey(poolId)];
}

/** What enter-line.lua answers; see there. */
type EntryReply = readonly [
  entered: 0 | 1 | 2 | 3,
  position: number,
  waitingInteractive: number,
  waitingBatch: number,
  tokensInteractive: number,
  tokensBatch: number,
  busySlots: number,
  dropped: string,
];

const entryKinds = ['full', 'entered', 'present', 'dropped'] as const;

function entryOutcome(reply: unknown): EntryOutcome {
  if (!Array.isArray(reply) || reply.length !== 8) throw new Error('unexpected reply of enter-line.lua');
  const [entered, position, interactive, batch, tokensInteractive, tokensBatch, busySlots, dropped] =
    reply as unknown as EntryReply;
  const tokens = { interactive: tokensInteractive, batch: tokensBatch };
  return {
    kind: entryKinds[entered],
    view: { position, waiting: { interactive, batch }, tokens, busySlots },
    droppedTaskId: dropped === '' ? null : dropped,
  };
}
