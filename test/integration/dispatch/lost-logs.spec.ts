import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines, Line, PoolQueues } from '../../../src/modules/admission/index.js';
import { ConcludeRun } from '../../../src/modules/dispatch/conclude-run.js';
import { ClaimTask, Reconciler } from '../../../src/modules/dispatch/index.js';
import { endTemplate, errorTemplate, EventLog, LogAppender, RunLogWriter } from '../../../src/modules/events/index.js';
import { leaseKey, Leases, type LivePool, type PoolRegistry, workersKey } from '../../../src/modules/pools/index.js';
import { CancelTask, EndTask, openTask, TasksRepository } from '../../../src/modules/tasks/index.js';
import { freshDatabase, freshRedis } from '../../support/stores.js';

const lostLogId = 2_000_000_000;
const leaseMs = 10_000;
/** Tasks are this old when the reconciler finds them. */
const ageMs = 60_000;
let nowMs = Date.now();
const clock = { now: () => nowMs };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const nothing = (): Promise<null> => Promise.resolve(null);
const replicas = [{ id: 'r', slots: 1, deviceMask: null, kvRoomTokens: null }];
const reset = errorTemplate({ code: 'WORKER_RESET', message: '', retriable: true, engine: 'mock', pool_id: 'p' });

let store: Awaited<ReturnType<typeof freshRedis>>;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: pg.Pool;
let tasks: TasksRepository;
let queues: PoolQueues;

beforeAll(async () => {
  [store, database] = await Promise.all([freshRedis(), freshDatabase()]);
  db = new pg.Pool({ connectionString: database.url });
  tasks = new TasksRepository(db);
  queues = new PoolQueues(['p'], store.redis);
});

beforeEach(async () => {
  await store.redis.flushall();
  await db.query('DELETE FROM tasks');
});

afterAll(async () => {
  await queues.close();
  await db.end();
  await Promise.all([store.drop(), database.drop()]);
});

/** One pool of one slot. */
const pool = {
  config: {
    id: 'p',
    engine: { id: 'mock' },
    queue: { capacity: 10, full_policy: 'reject' },
    admission: { priorities: [], batch_share: 0, batch_max_wait_ms: 1 },
  },
  replicas: [{ known: { id: 'r' } }],
  ready: true,
  slots: 1,
} as unknown as LivePool; // Only what is looked at here.
const pools = {
  ids: ['p'],
  find: (id: string) => (id === 'p' ? pool : null),
  keysOf: () => ({ leaseKeys: [leaseKey('p', 'r')], workersKey: workersKey('p') }),
} as unknown as PoolRegistry;

/** A process, as far as it looks after tasks whose logs may be lost. */
class Process {
  readonly log: EventLog;
  readonly endTask: EndTask;
  readonly line = new Line(store.redis, clock);
  readonly deadlines = new Deadlines(store.redis);
  readonly claims = new ClaimTask(store.redis, clock, leaseMs);

  constructor(redis = store.redis, changes: { readonly listOpen?: TasksRepository['listOpen'] } = {}) {
    this.log = new EventLog(redis, clock, 60, null);
    const keepTranscript = { run: () => Promise.resolve('an artifact') } as never;
    this.endTask = new EndTask({
      log: this.log,
      keepTranscript,
      tasks,
      sessions: { settle: nothing } as never,
      deadlines: this.deadlines,
      hub: null,
      clock,
    });
    this.listOpen = changes.listOpen ?? tasks.listOpen.bind(tasks);
  }

  private readonly listOpen: TasksRepository['listOpen'];

  private get shared() {
    const { log, endTask, line, deadlines } = this;
    return { log, endTask, line, deadlines, queues, pools, clock };
  }

  reconcile(): Promise<void> {
    const listed = Object.assign(Object.create(tasks) as TasksRepository, { listOpen: this.listOpen });
    const reconciled = {
      ...this.shared,
      redis: store.redis,
      tasks: listed,
      dropTask: {} as never,
      followMove: {} as never,
      leases: new Leases(store.redis, clock),
      logger: silent as never,
    };
    return new Reconciler(reconciled, { processId: 'x', intervalMs: 1000 }).run();
  }

  cancel(taskId: string) {
    const rest = {
      engineStop: {},
      ended: {},
      hub: { deliveredUpTo: nothing },
      telemetry: { canceled: () => undefined },
    };
    return new CancelTask({ ...this.shared, ...rest, tasks } as never).run(taskId, 'client');
  }

  async open(taskId: string): Promise<void> {
    const task = await tasks.findOpen(taskId);
    const queue = queues.of('p');
    if (task === null || queue === null) throw new Error('no such task');
    await openTask(task, { log: this.log, queue, deadlines: this.deadlines }, {});
  }

  /** Begins the task on the one slot, as if no lease were held any more. */
  async claim(taskId: string) {
    await store.redis.del(leaseKey('p', 'r'));
    const outcome = await this.claims.again(pool, replicas, taskId);
    if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${outcome.kind}`);
    return outcome;
  }
}

async function accept(startedOn: string | null, about: object = {}): Promise<string> {
  const taskId = randomUUID();
  const request = { workload: 'completion', model_ref: 'm', prompt: 'x', max_tokens: 9, priority: 'interactive' };
  await tasks.insert({
    taskId,
    bodyHash: '',
    correlationId: randomUUID(),
    request,
    engine: 'mock',
    poolId: 'p',
    admission: {},
    placement: {},
    createdMs: clock.now() - ageMs,
    deadlineMs: null,
    startedOn,
    told: null,
    turn: null,
    ...about,
  } as never);
  return taskId;
}

async function stateOf(taskId: string): Promise<string | undefined> {
  return (await tasks.stateOf(taskId))?.state;
}

/** What somebody reads who has seen the events up to an id. */
async function read(log: EventLog, taskId: string, afterId: number): Promise<{ ids: number[]; text: string }> {
  const { chunks = [] } = (await log.read(taskId, afterId + 1, 100, 'hub')) ?? {};
  return { ids: chunks.map(({ last }) => last), text: chunks.map(({ plain }) => plain.toString()).join('') };
}

/** A client whose scripts fail from the nth on: without having been run, or with their answers lost. */
function failingFrom(nth: number, isRun: boolean, until = Number.POSITIVE_INFINITY): { redis: Redis; count(): number } {
  let count = 0;
  const call =
    (name: 'call' | 'callBuffer') =>
    async (...args: unknown[]): Promise<unknown> => {
      count += 1;
      const fails = count >= nth && count < until;
      if (fails && !isRun) throw new Error('the connection is gone');
      const reply: unknown = await (store.redis[name] as (...all: unknown[]) => Promise<unknown>)(...args);
      if (fails) throw new Error('the answer is lost');
      return reply;
    };
  const made = { call: call('call'), callBuffer: call('callBuffer') };
  return { redis: Object.assign(Object.create(store.redis) as Redis, made), count: () => count };
}

describe('a task that had begun when Redis lost its log', () => {
  it('is canceled above every id that its readers may hold', async () => {
    const taskId = await accept('r');
    const here = new Process();
    const receipt = await here.cancel(taskId);
    const { ids, text } = await read(here.log, taskId, 1_000_000);
    expect(ids).toEqual([receipt.lastEventId]);
    expect(text).toContain('"canceled":true');
    expect(await stateOf(taskId)).toBe('canceled');
    // Whether its engine has stopped, its worker will say.
    expect(await here.log.attempts(taskId)).toEqual({ begun: 1, stopped: 0 });
  });

  it.each([false, true])(
    'is ended by the next pass wherever a process died; its last write was taken: %s',
    async (isRun) => {
      for (let nth = 1; ; nth++) {
        const taskId = await accept('r');
        const dying = failingFrom(nth, isRun);
        await new Process(dying.redis).reconcile();
        const here = new Process();
        await here.reconcile();
        expect([nth, await stateOf(taskId)]).toEqual([nth, 'failed']);
        const { text } = await read(here.log, taskId, 1_000_000);
        expect(text.match(/^event: \w+/gm)).toEqual(['event: error']);
        if (dying.count() < nth) break;
      }
    },
  );

  it('is never run from its start, though it was listed before it began', async () => {
    const taskId = await accept(null);
    const here = new Process(store.redis, {
      listOpen: async (...args) => {
        const page = await tasks.listOpen(...args);
        await tasks.markRunning({ taskId, attempt: 1, replicaId: 'r', startedMs: clock.now() });
        return page;
      },
    });
    await here.reconcile();
    expect(await stateOf(taskId)).toBe('failed');
    expect((await read(here.log, taskId, 0)).ids).toEqual([lostLogId]);
  });

  it.each([
    ['before it began', 1, ['f', 'q', 'n', '0']],
    ['before it was continued', 2, ['f', 'r1', 'n', '1']],
  ])('is ended as well where Redis came back as it was %s', async (_, attempt, older) => {
    const taskId = await accept(null);
    const here = new Process();
    await here.open(taskId);
    for (let nth = 0; nth < attempt; nth++) await here.claim(taskId);
    await tasks.markRunning({ taskId, attempt, replicaId: 'r', startedMs: clock.now() });
    await here.reconcile();
    expect(await stateOf(taskId)).toBe('running');
    await store.redis.hset(`{orchd}:run:${taskId}`, ...older);
    await here.reconcile();
    expect(await stateOf(taskId)).toBe('failed');
    expect((await read(here.log, taskId, 1_000_000)).ids).toEqual([lostLogId]);
  });

  it('is not taken for lost where its log is there', async () => {
    const taskId = await accept(null);
    const here = new Process();
    await here.open(taskId);
    expect(await here.endTask.closeLost({ taskId, attempts: 0 }, reset)).toMatchObject({ kind: 'kept', fence: 'q' });
    await here.cancel(taskId);
    expect(await here.endTask.closeLost({ taskId, attempts: 0 }, reset)).toMatchObject({
      kind: 'kept',
      lastId: 2,
      fence: 'x',
    });
  });
});

/** Writes as the worker of an attempt does. */
function writerOf(taskId: string, claim: { attempt: number; lastId: number; tokens: number }, redis = store.redis) {
  const appender = new LogAppender(redis, null, () => undefined);
  const ignored = { onPause: () => undefined, onResume: () => undefined };
  const watcher = { ...ignored, onFencedOff: () => undefined };
  return new RunLogWriter(appender, { taskId, ...claim }, watcher, { hold: false });
}

describe('a task that waited when Redis lost its log', () => {
  it('is run by nobody whose attempt the row did not know of, however often the log is lost', async () => {
    const taskId = await accept(null);
    const here = new Process();
    await here.open(taskId);
    const lost = [writerOf(taskId, await here.claim(taskId))];
    for (const _ of ['once', 'twice']) {
      nowMs += 5000;
      await store.redis.flushall();
      await here.reconcile();
      lost.push(writerOf(taskId, await here.claim(taskId)));
    }
    expect(new Set(lost.map(({ fence }) => fence)).size).toBe(3);
    expect(await here.log.attempts(taskId)).toMatchObject({ begun: 1 });
    const [first, second, last] = lost;
    for (const writer of lost) writer.token('x');
    expect(await Promise.all([first?.flushed(), second?.flushed(), last?.flushed()])).toEqual([false, false, true]);
    expect(await here.log.tokens(taskId)).toBe(1);
  });
});

describe('a chunk whose ids the log has passed', () => {
  it('is refused, though it has the right fence; the same call sent twice is not', async () => {
    const taskId = await accept(null);
    const here = new Process();
    await here.reconcile();
    const claim = await here.claim(taskId);
    const twice = failingFrom(1, true, 2);
    const writer = writerOf(taskId, claim, twice.redis);
    writer.token('a');
    writer.token('b');
    expect(await writer.flushed()).toBe(true);
    expect(twice.count()).toBe(2);
    const other = writerOf(taskId, { ...claim, lastId: 1 });
    other.token('c');
    expect(await other.flushed()).toBe(false);
    expect(await here.log.tokens(taskId)).toBe(2);
  });
});

describe('a log that came back without what was taken before', () => {
  /** A task that runs, and of whose log Redis loses the newest chunk: what its readers have seen. */
  async function withoutItsNewest() {
    const taskId = await accept(null);
    const here = new Process();
    await here.open(taskId);
    const claim = await here.claim(taskId);
    await tasks.markRunning({ taskId, attempt: claim.attempt, replicaId: 'r', startedMs: clock.now() });
    const redis = store.redis.duplicate();
    const writer = writerOf(taskId, claim, redis);
    for (const text of ['a', 'b', 'c']) {
      writer.token(text);
      expect(await writer.flushed()).toBe(true);
    }
    await store.redis.xdel(`{orchd}:events:${taskId}`, `${writer.takenId}-0`);
    return { taskId, here, claim, redis, writer };
  }

  async function expectReset(here: Process, taskId: string): Promise<void> {
    const outcome = await here.claims.again(pool, replicas, taskId);
    expect(outcome.kind).toBe('missing');
    await here.reconcile();
    expect(await stateOf(taskId)).toBe('failed');
    const { ids, text } = await read(here.log, taskId, 1_000_000);
    expect(ids.at(-1)).toBe(lostLogId);
    expect(text).toContain('WORKER_RESET');
  }

  it('is not gone on with by the worker that knows more: the task is reset, above what its readers hold', async () => {
    const { taskId, here, redis, writer } = await withoutItsNewest();
    redis.disconnect(true);
    await once(redis, 'ready');
    writer.token('d');
    expect(await writer.flushed()).toBe(false);
    expect(await here.log.tokens(taskId)).toBe(2);
    await expectReset(here, taskId);
    redis.disconnect();
  });

  it('is not ended as if it were whole', async () => {
    const { taskId, here, redis, writer } = await withoutItsNewest();
    const end = endTemplate({ finish_reason: 'stop' });
    expect(await here.endTask.close(taskId, end, writer.fence, writer.takenId)).toEqual({ kind: 'missing' });
    await expectReset(here, taskId);
    redis.disconnect();
  });

  it('is canceled above what its readers hold', async () => {
    const { taskId, here, redis, writer } = await withoutItsNewest();
    await here.endTask.close(taskId, endTemplate({ finish_reason: 'stop' }), writer.fence, writer.takenId);
    expect(await here.cancel(taskId)).toEqual({ lastEventId: lostLogId, tokensOut: 2 });
    expect(await stateOf(taskId)).toBe('canceled');
    redis.disconnect();
  });

  it('is asked for only after the connection was lost', async () => {
    const { redis, writer } = await withoutItsNewest();
    const asked = vi.spyOn(redis, 'call');
    writer.token('d');
    expect(await writer.flushed()).toBe(true);
    expect(String(asked.mock.calls.at(-1)?.at(-3))).toMatch(/ 0$/);
    redis.disconnect();
  });
});

describe('a log that came back as it was before its end', () => {
  it("is forgotten, so that readers are given the transcript; one that is closed, or another's, stays", async () => {
    const taskId = await accept(null);
    const here = new Process();
    const { log, endTask } = here;
    await here.open(taskId);
    const { attempt } = await here.claim(taskId);
    await log.forgetOpen(taskId, `r${attempt + 1}`);
    expect(await log.fence(taskId)).toBe(`r${attempt}`);
    await endTask.close(taskId, endTemplate({ finish_reason: 'stop' }));
    await log.forgetOpen(taskId);
    expect(await log.fence(taskId)).toBe('x');
    await store.redis.hset(`{orchd}:run:${taskId}`, 'f', `r${attempt}`);
    await log.forgetOpen(taskId, `r${attempt}`);
    expect(await log.read(taskId, 1, 1, 'hub')).toBeNull();
    expect(await store.redis.keys(`*:events:${taskId}`)).toEqual([]);
  });

  it('is forgotten by a worker that was given its task once more', async () => {
    const forgotten: unknown[] = [];
    const eventLog = {
      markStopped: nothing,
      forgetOpen: (...about: unknown[]) => nothing().finally(() => forgotten.push(about)),
    };
    const slot = { giveBack: nothing } as never;
    const conclusion = new ConcludeRun({ eventLog } as never, slot, new AbortController().signal);
    const writer = { abandon: () => undefined };
    const attempt = { view: { taskId: 't', claim: { attempt: 7 } }, writer, accepted: nothing } as never;
    expect(await conclusion.run(attempt, { kind: 'stopped', cause: 'row-ended' })).toBe('done');
    expect(forgotten).toEqual([['t', 'r7']]);
    expect(await conclusion.run(attempt, { kind: 'stopped', cause: 'shutdown' })).toBe('again');
    expect(forgotten).toHaveLength(1);
  });
});

describe('a run record without a request', () => {
  it('is claimed by nobody', async () => {
    const taskId = randomUUID();
    await store.redis.hset(`{orchd}:run:${taskId}`, { f: 'r0' });
    const { claims, log } = new Process();
    expect(await claims.again(pool, replicas, taskId)).toEqual({ kind: 'missing' });
    expect(await log.fence(taskId)).toBe('r0');
    expect(await store.redis.zcard(leaseKey('p', 'r'))).toBe(0);
  });
});

describe('a place in line of a submit that died', () => {
  it.each(['interactive', 'batch'] as const)('is given back, however long the line of %s is', async (priority) => {
    const here = new Process();
    const share = { slots: 0, between: 0, maxWaitMs: 0, runPrefix: '{orchd}:run:' };
    const bounds = { capacity: null, classCapacity: null, makesRoom: false, slots: 1, share, ...pools.keysOf(pool) };
    const enter = (taskId: string) => here.line.enter({ taskId, poolId: 'p', priority, expectedTokens: 1 }, bounds);
    const taskIds = Array.from({ length: 1100 }, () => randomUUID());
    await Promise.all(taskIds.map(enter));
    // Rows so young that nobody looks at their logs, of all but a few.
    const kept = taskIds.filter((_, place) => place % 50 !== 0);
    await Promise.all(kept.map((taskId) => accept(null, { taskId, createdMs: nowMs + 10 * ageMs })));
    nowMs += ageMs;
    const entering = randomUUID();
    await enter(entering);
    await here.reconcile();
    expect(new Set(await here.line.page('p', 0, 2000))).toEqual(new Set([...kept, entering]));
  });
});
