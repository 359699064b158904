import type { Redis } from 'ioredis';
import type { Priority } from '../../contract/common.js';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { deadlinesKey, lineKeeperKey, lineKeys, shareArgs, startOrderLua, type LineView } from '../admission/index.js';
import { runRecordKey } from '../events/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import { overdueShare } from '../tasks/index.js';

const lookScript = new LuaScript(new URL('./look-at-line.lua', import.meta.url), startOrderLua);

/** Places that are looked at every time: who starts soon wants to know how soon. */
const nearPlaces = 64;
/** Of those behind them so many each time, in turn. */
const farPlaces = 64;

/** A task that waits, and that somebody reads. */
export interface FollowedTask {
  readonly taskId: string;
  readonly priority: Priority;
  /** Waiting tasks that would start before it if slots came free now. */
  readonly ahead: number;
  readonly expectedTokens: number;
  /** Unix ms; null: none. */
  readonly deadlineMs: number | null;
  /** What its readers were told last; '' before the first time. */
  readonly told: string;
}

/** A line at one moment, and some of its followed tasks. */
export interface LineLook {
  readonly waiting: LineView['waiting'];
  readonly tokens: LineView['tokens'];
  /** Slots that a live worker has free. */
  readonly freeSlots: number;
  readonly tasks: readonly FollowedTask[];
}

/**
 * Looks at the line of a pool, on behalf of all processes: one of them does for as long as it keeps looking. What a look costs does not depend
 * on how many tasks wait.
 */
export class LookAtLine {
  /** Of each class of a pool, the place where the next look goes on behind the near ones. */
  private readonly turns = new Map<string, number>();

  constructor(
    private readonly redis: Redis,
    private readonly pools: Pick<PoolRegistry, 'keysOf'>,
    private readonly clock: Clock,
    private readonly options: { readonly processId: string; readonly leaseMs: number },
  ) {}

  /** Null: another process looks after this line. Rejects when Redis is away. */
  async run(pool: LivePool): Promise<LineLook | null> {
    const { id } = pool.config;
    const { leaseKeys, workersKey } = this.pools.keysOf(pool);
    const reply = await lookScript.run(
      this.redis,
      [...lineKeys(id), lineKeeperKey(id), deadlinesKey, workersKey, ...leaseKeys],
      [
        this.options.processId,
        this.options.leaseMs,
        this.clock.now(),
        runRecordKey(''),
        ...shareArgs(overdueShare(pool)),
        ...this.places(id, 'interactive'),
        ...this.places(id, 'batch'),
      ],
    );
    const look = lookOf(reply, pool.slots);
    if (look !== null) for (const priority of ['interactive', 'batch'] as const) this.turn(id, priority, look);
    return look;
  }

  private places(poolId: string, priority: Priority): (string | number)[] {
    const from = this.turns.get(`${poolId} ${priority}`) ?? nearPlaces;
    return [priority, 0, nearPlaces - 1, priority, from, from + farPlaces - 1];
  }

  private turn(poolId: string, priority: Priority, { waiting }: LineLook): void {
    const key = `${poolId} ${priority}`;
    const next = (this.turns.get(key) ?? nearPlaces) + farPlaces;
    this.turns.set(key, next < waiting[priority] ? next : nearPlaces);
  }
}

/** What look-at-line.lua answers; see there. */
function lookOf(reply: unknown, slots: number): LineLook | null {
  if (!Array.isArray(reply)) throw new Error('unexpected reply of look-at-line.lua');
  const [isMine = 0, interactive = 0, batch = 0, tokensInteractive = 0, tokensBatch = 0, busySlots = 0, lives = 0] =
    reply.slice(0, lineFields).map(Number);
  if (isMine === 0) return null;
  const tasks: FollowedTask[] = [];
  for (let at = lineFields; at < reply.length; at += taskFields)
    tasks.push(followedTask(reply.slice(at, at + taskFields).map(String)));
  return {
    waiting: { interactive, batch },
    tokens: { interactive: tokensInteractive, batch: tokensBatch },
    freeSlots: lives === 0 ? 0 : Math.max(0, slots - busySlots),
    tasks,
  };
}

const lineFields = 7;
const taskFields = 6;

function followedTask(fields: readonly string[]): FollowedTask {
  const [taskId = '', priority, ahead, tokens, deadline, told = ''] = fields;
  return {
    taskId,
    priority: priority === 'batch' ? 'batch' : 'interactive',
    ahead: Number(ahead),
    expectedTokens: Number(tokens),
    deadlineMs: deadline === '' ? null : Number(deadline),
    told,
  };
}
