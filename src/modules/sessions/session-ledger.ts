import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import type { Amounts, SessionLimits } from './budget.js';
import { evictedChannel, openTurnsKey, sessionKey } from './session-keys.js';
import type { Turn, TurnRecord } from './turn-history.port.js';

const reserveScript = new LuaScript(new URL('./reserve-turn.lua', import.meta.url));
const withdrawScript = new LuaScript(new URL('./withdraw-turn.lua', import.meta.url));
const beginScript = new LuaScript(new URL('./begin-turn.lua', import.meta.url));
const recordScript = new LuaScript(new URL('./record-turns.lua', import.meta.url));

/** A session as Redis has it. */
export interface SessionState {
  readonly generation: string;
  readonly turns: number;
  readonly openTurns: number;
  /** Used up by ended turns and reserved by open ones. */
  readonly taken: Amounts;
  /** Milliseconds until it is forgotten; null: not while a turn is open. */
  readonly ttlMs: number | null;
  /** Where its last turn began; null before the first. */
  readonly lastRun: SessionHome | null;
  /** Tokens, read and written, of the turn that ended last; 0 before one has used any. */
  readonly lastTokens: number;
}

/** A replica that ran a turn of a session. */
export interface SessionHome {
  readonly poolId: string;
  readonly replicaId: string;
}

/** What a turn asks for. */
export interface TurnWish {
  readonly taskId: string;
  /** The most it may use. Where time is limited it gets at most what is left. */
  readonly most: Amounts;
  /** Time left below which it is not worth beginning. */
  readonly leastTimeMs: number;
}

export interface LedgerReply {
  readonly kind: 'reserved' | 'turns' | 'tokens' | 'time' | 'cost';
  readonly generation: string;
  readonly timeMs: number;
  /** After it. */
  readonly taken: Amounts;
}

/** The sessions in Redis. Every method rejects when Redis is away. */
export class SessionLedger {
  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly limits: SessionLimits,
  ) {}

  /** Null: it is unknown, expired, or lost. */
  async read(sessionId: string): Promise<SessionState | null> {
    const key = sessionKey(sessionId);
    const [values, ttl] =
      (await this.redis
        .multi()
        .hmget(key, ...stateFields)
        .pttl(key)
        .exec()) ?? [];
    const texts = (values?.[1] ?? []) as (string | null)[];
    const fields = new Map(stateFields.map((name, place) => [name, texts[place] ?? null]));
    return stateOf(fields, Number(ttl?.[1] ?? -1));
  }

  /**
   * See reserve-turn.lua. Null: there is no such session.
   * @param begin generation to begin with where there is none; null: don't
   * @param onlyLooks answer what would be, and leave all as it is
   */
  async reserve(
    sessionId: string,
    { taskId, most, leastTimeMs }: TurnWish,
    begin: string | null,
    onlyLooks = false,
  ): Promise<LedgerReply | null> {
    const { maxTurns, budgets } = this.limits;
    const who = [sessionId, taskId, this.clock.now(), begin ?? '', maxTurns];
    const wants = [most.tokens, most.timeMs, most.costNano, Math.ceil(leastTimeMs)];
    const bounds = [budgets.tokens ?? '', budgets.timeMs ?? '', budgets.costNano ?? ''];
    const reply = await reserveScript.run(this.redis, keysOf(sessionId), [
      ...who,
      ...wants,
      ...bounds,
      onlyLooks ? '1' : '',
    ]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of reserve-turn.lua');
    const [kind, generation, timeMs, tokens, usedMs, costNano] = reply as unknown[];
    if (kind === 'missing') return null;
    return {
      kind: kind as LedgerReply['kind'],
      generation: String(generation),
      timeMs: Number(timeMs),
      taken: { tokens: Number(tokens), timeMs: Number(usedMs), costNano: Number(costNano) },
    };
  }

  /**
   * A turn begins on a replica, which is from now on where its session ran last. `isSame`: an earlier turn ran there before it. Null: the
   * session is not that one any more.
   */
  async begin(
    { session_id: sessionId, generation }: Pick<Turn, 'session_id' | 'generation'>,
    taskId: string,
    { poolId, replicaId }: SessionHome,
  ): Promise<{ readonly isSame: boolean; readonly taken: Amounts } | null> {
    const reply = await beginScript.run(this.redis, [sessionKey(sessionId)], [generation, taskId, poolId, replicaId]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of begin-turn.lua');
    const [isThere, isSame, tokens = 0, timeMs = 0, costNano = 0] = reply.map(Number);
    return isThere === 1 ? { isSame: isSame === 1, taken: { tokens, timeMs, costNano } } : null;
  }

  /** Takes a reservation back whose task was not accepted. */
  async withdraw(sessionId: string, taskId: string, generation: string): Promise<void> {
    await withdrawScript.run(this.redis, keysOf(sessionId), [sessionId, taskId, generation, this.limits.ttlMs]);
  }

  /**
   * Brings turns of one generation into a session: again and again is the same as once. False: there is no such session, or a newer one.
   * @param make make the session where there is none
   * @param stayMs how long it stays once no turn is open
   */
  async record(turns: readonly TurnRecord[], { make, stayMs }: { make: boolean; stayMs: number }): Promise<boolean> {
    const first = turns[0];
    if (first === undefined) return false;
    const { session_id: sessionId, generation } = first.turn;
    const last = turns.findLast(({ replicaId }) => replicaId !== null);
    const stays = Math.max(1, Math.round(stayMs));
    const reply = await recordScript.run(this.redis, keysOf(sessionId), [
      sessionId,
      generation,
      this.clock.now(),
      stays,
      make ? '1' : '',
      last?.poolId ?? '',
      last?.replicaId ?? '',
      ...turns.flatMap(({ taskId, turn, used }) =>
        used === null
          ? [taskId, 'o', turn.tokens, turn.time_ms ?? 0, turn.cost_nano]
          : [taskId, 'x', used.tokens, used.timeMs, used.costNano],
      ),
    ]);
    return reply === 1;
  }

  /** Forgets it, and tells the workers; what its open turns use is counted nowhere. */
  async forget(sessionId: string): Promise<void> {
    await this.redis.multi().del(sessionKey(sessionId)).publish(evictedChannel, sessionId).exec();
  }

  /** Of these sessions, those that are not there (any more). */
  async missing(sessionIds: readonly string[]): Promise<string[]> {
    const pipeline = this.redis.pipeline();
    for (const id of sessionIds) pipeline.exists(sessionKey(id));
    const replies = (await pipeline.exec()) ?? [];
    return sessionIds.filter((_, place) => {
      const [error, count] = replies[place] ?? [];
      if (error) throw error;
      return count === 0;
    });
  }
}

function keysOf(sessionId: string): string[] {
  return [sessionKey(sessionId), openTurnsKey];
}

const stateFields = ['g', 'n', 'o', 'st', 'sm', 'sc', 'rt', 'rm', 'rc', 'pool', 'replica', 'last'] as const;
type StateField = (typeof stateFields)[number];

/** @param ttlMs as PTTL answers: negative while it does not expire */
function stateOf(fields: ReadonlyMap<StateField, string | null>, ttlMs: number): SessionState | null {
  const generation = fields.get('g') ?? null;
  if (generation === null) return null;
  const sum = (...names: StateField[]): number =>
    names.reduce((total, name) => total + Number(fields.get(name) ?? 0), 0);
  const replicaId = fields.get('replica') ?? null;
  return {
    generation,
    turns: sum('n'),
    openTurns: sum('o'),
    taken: { tokens: sum('st', 'rt'), timeMs: sum('sm', 'rm'), costNano: sum('sc', 'rc') },
    ttlMs: ttlMs < 0 ? null : ttlMs,
    lastTokens: sum('last'),
    lastRun: replicaId === null ? null : { poolId: fields.get('pool') ?? '', replicaId },
  };
}
