import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  SessionEvictionsRepository,
  SessionLedger,
  Sessions,
  type Amounts,
  type SessionLimits,
  type Turn,
  type TurnRecord,
} from '../../../src/modules/sessions/index.js';
import { freshDatabase, freshRedis } from '../../support/stores.js';
import { waitUntil } from '../../support/wait-until.js';

const price = { inNano: 2, outNano: 3 };
const limits: SessionLimits = { ttlMs: 60_000, maxTurns: 1000, budgets: { tokens: 100, timeMs: null, costNano: null } };

/** The records of turns as a table of tasks would have them. */
class Records {
  readonly all: TurnRecord[] = [];

  latestTurns(sessionId: string): Promise<TurnRecord[]> {
    const own = this.all.filter(({ turn }) => turn.session_id === sessionId);
    const newest = own.at(-1)?.turn.generation;
    return Promise.resolve(own.filter(({ turn }) => turn.generation === newest));
  }

  add(taskId: string, turn: Turn): TurnRecord {
    const record = { taskId, turn, used: null, createdMs: Date.now(), endedMs: null, poolId: 'p', replicaId: null };
    this.all.push(record);
    return record;
  }

  end(taskId: string, used: Amounts): TurnRecord {
    const place = this.all.findIndex((record) => record.taskId === taskId);
    const record = this.all[place];
    if (record === undefined) throw new Error('no such turn');
    const ended = { ...record, used, endedMs: Date.now(), replicaId: 'r0' };
    this.all[place] = ended;
    return ended;
  }
}

const tokens = (count: number): Amounts => ({ tokens: count, timeMs: 0, costNano: 0 });

describe('sessions', () => {
  let store: Awaited<ReturnType<typeof freshRedis>>;
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let db: pg.Pool;
  let records: Records;

  beforeAll(async () => {
    [store, database] = await Promise.all([freshRedis(), freshDatabase()]);
    db = new pg.Pool({ connectionString: database.url });
  });

  beforeEach(() => {
    records = new Records();
  });

  afterAll(async () => {
    await db.end();
    await Promise.all([store.drop(), database.drop()]);
  });

  function sessionsWith(change: Partial<SessionLimits> = {}): Sessions {
    const own = { ...limits, ...change };
    const clock = { now: () => Date.now() };
    const ledger = new SessionLedger(store.redis, clock, own);
    return new Sessions(own, ledger, records, new SessionEvictionsRepository(db), clock);
  }

  /** What a session should look like after some steps. */
  interface Model {
    readonly sessions: readonly [Sessions, Sessions];
    readonly sessionId: string;
    readonly open: { taskId: string; turn: Turn }[];
    spent: number;
  }

  const acts = ['enter', 'end', 'withdraw'] as const;
  const reservedIn = ({ open }: Model): number => open.reduce((sum, { turn }) => sum + turn.tokens, 0);

  const does: Record<(typeof acts)[number], (model: Model, amount: number) => Promise<void>> = {
    enter: async (model, amount) => {
      const fits = model.spent + reservedIn(model) + amount <= 100;
      const { taskId, outcome } = await enter(model.sessions[0], model.sessionId, tokens(amount));
      expect(outcome.kind).toBe(fits ? 'reserved' : 'refused');
      if (outcome.kind === 'reserved') model.open.push({ taskId, turn: outcome.turn });
    },
    withdraw: async ({ sessions, open }) => {
      const one = open.shift();
      if (one !== undefined) await sessions[1].withdraw(one.taskId, one.turn);
    },
    end: async (model, amount) => {
      const one = model.open.shift();
      if (one === undefined) return;
      const used = Math.min(amount, one.turn.tokens);
      model.spent += used;
      const record = { ...records.add(one.taskId, one.turn), used: tokens(used), endedMs: Date.now() };
      // Whoever settles, and however often.
      await Promise.all(model.sessions.map((sessions) => sessions.settle(record)));
    },
  };

  async function enter(sessions: Sessions, sessionId: string, most: Amounts, taskId: string = randomUUID()) {
    const outcome = await sessions.reserve(sessionId, { taskId, most, leastTimeMs: 1 }, price);
    return { taskId, outcome };
  }

  /** A turn that got in, and its task's record. */
  async function entered(sessions: Sessions, sessionId: string, most: Amounts) {
    const { taskId, outcome } = await enter(sessions, sessionId, most);
    if (outcome.kind !== 'reserved') throw new Error(`refused for ${outcome.over}`);
    records.add(taskId, outcome.turn);
    return { taskId, turn: outcome.turn };
  }

  it('never take more than the budget together, whatever enters, ends and leaves in whatever order, and end with what was used', async () => {
    const step = fc.record({ act: fc.constantFrom(...acts), amount: fc.integer({ min: 1, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const model: Model = {
          sessions: [sessionsWith(), sessionsWith()],
          sessionId: randomUUID(),
          open: [],
          spent: 0,
        };
        for (const { act, amount } of steps) {
          await does[act](model, amount);
          const { sessions, sessionId, open, spent } = model;
          const view = await sessions[0].find(sessionId);
          expect(view?.left.tokens ?? 100).toBe(100 - spent - reservedIn(model));
          expect(view?.openTurns ?? 0).toBe(open.length);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('let a hundred at once in as far as the budget goes, and not one token further', async () => {
    const sessionId = randomUUID();
    const both = [sessionsWith(), sessionsWith()];
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, place) => enter(both[place % 2] as Sessions, sessionId, tokens(7))),
    );
    expect(all.filter(({ outcome }) => outcome.kind === 'reserved')).toHaveLength(14);
    expect((await both[0]?.find(sessionId))?.left.tokens).toBe(2);
  });

  it('hold one reservation for concurrent submits of one task until the last has let go', async () => {
    const sessions = sessionsWith();
    const sessionId = randomUUID();
    const first = await enter(sessions, sessionId, tokens(60));
    const second = await enter(sessions, sessionId, tokens(60), first.taskId);
    expect([first.outcome.kind, second.outcome.kind]).toEqual(['reserved', 'reserved']);
    if (first.outcome.kind !== 'reserved') return;
    const { turn } = first.outcome;
    expect(await sessions.find(sessionId)).toMatchObject({ turns: 1, left: { tokens: 40 } });
    await sessions.withdraw(first.taskId, turn);
    expect(await sessions.find(sessionId)).toMatchObject({ turns: 1, left: { tokens: 40 } });
    await sessions.withdraw(first.taskId, turn);
    expect(await sessions.find(sessionId)).toBeNull();
  });

  it('count turns, and refuse the one too many', async () => {
    const sessions = sessionsWith({ maxTurns: 2 });
    const sessionId = randomUUID();
    await entered(sessions, sessionId, tokens(1));
    await entered(sessions, sessionId, tokens(1));
    expect((await enter(sessions, sessionId, tokens(1))).outcome).toMatchObject({ kind: 'refused', over: 'turns' });
    expect((await sessions.find(sessionId))?.turns).toBe(2);
  });

  it('give a turn what is left of the time, and refuse it when that is too little to begin with', async () => {
    const sessions = sessionsWith({ budgets: { tokens: null, timeMs: 1000, costNano: 500 } });
    const sessionId = randomUUID();
    const most = { tokens: 1, timeMs: 700, costNano: 200 };
    const first = await entered(sessions, sessionId, most);
    expect(first.turn.time_ms).toBe(700);
    expect((await entered(sessions, sessionId, most)).turn.time_ms).toBe(300);
    expect((await enter(sessions, sessionId, { ...most, costNano: 0 })).outcome).toMatchObject({ over: 'time' });
    await sessions.settle(records.end(first.taskId, { tokens: 1, timeMs: 100, costNano: 200 }));
    expect((await enter(sessions, sessionId, most)).outcome).toMatchObject({ over: 'cost', left: { costNano: 100 } });
    const wish = { taskId: randomUUID(), most: { ...most, costNano: 0 }, leastTimeMs: 601 };
    expect(await sessions.reserve(sessionId, wish, price)).toMatchObject({ over: 'time', left: { timeMs: 600 } });
  });

  it('are forgotten when nothing happens in them for their time, and not while a turn is open', async () => {
    const sessions = sessionsWith({ ttlMs: 40 });
    const sessionId = randomUUID();
    const { taskId, turn } = await entered(sessions, sessionId, tokens(90));
    expect(await sessions.find(sessionId)).toMatchObject({ ttlMs: null });
    await sessions.settle(records.end(taskId, tokens(90)));
    await waitUntil('it to be forgotten', async () => (await sessions.find(sessionId)) === null);
    const next = await entered(sessions, sessionId, tokens(90));
    expect(next.turn.generation).not.toBe(turn.generation);
  });

  it('come back from the records of their turns when Redis has lost them, in the middle of everything', async () => {
    const sessions = sessionsWith();
    const sessionId = randomUUID();
    const ended = await entered(sessions, sessionId, tokens(30));
    const running = await entered(sessions, sessionId, tokens(40));
    await sessions.settle(records.end(ended.taskId, tokens(20)));
    const before = await sessions.find(sessionId);
    expect(before).toMatchObject({ turns: 2, openTurns: 1, lastTokens: 20, left: { tokens: 40 } });
    await store.redis.flushall();
    const seen = await Promise.all([sessionsWith().find(sessionId), sessionsWith().find(sessionId)]);
    expect(seen).toEqual([before, before]);
    await store.redis.flushall();
    const all = await Promise.all(Array.from({ length: 10 }, () => enter(sessionsWith(), sessionId, tokens(9))));
    expect(all.filter(({ outcome }) => outcome.kind === 'reserved')).toHaveLength(4);
    const late = records.end(running.taskId, tokens(5));
    await sessions.settle(late);
    await sessions.settle(late);
    expect(await sessions.find(sessionId)).toMatchObject({ lastTokens: 5, left: { tokens: 100 - 20 - 5 - 36 } });
  });

  it('stay gone after they were deleted, for their open turns and for a Redis that comes back empty', async () => {
    const sessions = sessionsWith();
    const sessionId = randomUUID();
    const running = await entered(sessions, sessionId, tokens(90));
    expect(await sessions.evict(sessionId)).toMatchObject({ turns: 1 });
    expect(await sessions.evict(sessionId)).toBeNull();
    await store.redis.flushall();
    expect(await sessions.find(sessionId)).toBeNull();
    const fresh = await entered(sessions, sessionId, tokens(50));
    await sessions.settle(records.end(running.taskId, tokens(90)));
    expect(await sessions.find(sessionId)).toMatchObject({ generation: fresh.turn.generation, left: { tokens: 50 } });
  });
});
