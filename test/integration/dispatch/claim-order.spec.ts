import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { batchShare, Line, type EntryOutcome, type LineBounds } from '../../../src/modules/admission/index.js';
import { ClaimTask } from '../../../src/modules/dispatch/index.js';
import { endTemplate, EventLog } from '../../../src/modules/events/index.js';
import { leaseKey, Leases, workersKey, type LivePool } from '../../../src/modules/pools/index.js';
import { sessionKeyPrefix } from '../../../src/modules/sessions/index.js';
import { freshRedis } from '../../support/stores.js';

type Class = 'interactive' | 'batch';

const slots = 3;
const maxWaitMs = 1000;
const leaseMs = 10_000_000;
const canceled = endTemplate({ finish_reason: 'canceled', canceled: true });

let store: Awaited<ReturnType<typeof freshRedis>>;
let nowMs = 0;
const clock = { now: () => nowMs };

beforeAll(async () => {
  store = await freshRedis();
});

beforeEach(async () => {
  await store.redis.flushall();
  nowMs = 1_700_000_000_000;
});

afterAll(() => store.drop());

function poolWith(share: number, waitMs = maxWaitMs): LivePool {
  return {
    config: { id: 'p', admission: { batch_share: share, batch_max_wait_ms: waitMs } },
    replicas: [{ known: { id: 'r0' } }, { known: { id: 'r1' } }],
    slots,
  } as unknown as LivePool; // Only what claiming looks at.
}

const replicas = [
  { id: 'r0', slots: 2, deviceMask: '0', kvRoomTokens: 50 },
  { id: 'r1', slots: 1, deviceMask: '1', kvRoomTokens: null },
];

const roomy = replicas.map(({ id }) => ({ id, slots: 1000, deviceMask: null, kvRoomTokens: null }));

/** What a task asks of its replica. Each session ran last where its name says. */
interface Asks {
  readonly mask: '0' | '1' | null;
  /** Tokens of context that it fills. */
  readonly kv?: number;
  readonly session: 'p/r0' | 'p/r1' | 'q/r1' | null;
}
const anyReplica: Asks = { mask: null, session: null };
const sessions = ['p/r0', 'p/r1', 'q/r1'] as const;

/** The pool's line, driven as the api processes and workers drive it. */
class Drive {
  readonly line = new Line(store.redis, clock);
  readonly log = new EventLog(store.redis, clock, 60, null);
  readonly leases = new Leases(store.redis, clock);
  /** Two workers. */
  readonly workers = [new ClaimTask(store.redis, clock, leaseMs), new ClaimTask(store.redis, clock, leaseMs)] as const;

  constructor(readonly pool: LivePool) {}

  async enter(priority: Class): Promise<string> {
    const taskId = randomUUID();
    await this.enterAs(taskId, priority);
    return taskId;
  }

  async enterAs(taskId: string, priority: Class): Promise<EntryOutcome> {
    return this.line.enter({ taskId, poolId: 'p', priority, expectedTokens: 5 }, this.bounds());
  }

  /** Where a newcomer would stand. */
  async foresee(priority: Class): Promise<number> {
    const entry = { taskId: randomUUID(), poolId: 'p', priority, expectedTokens: 5 };
    return (await this.line.foresee(entry, this.bounds())).view.position;
  }

  positionOf(taskId: string, priority: Class): Promise<number> {
    return this.line.positionOf({ taskId, poolId: 'p', priority }, this.bounds());
  }

  /** Starts all who wait, as if slots came free at this moment one after the other. */
  async startAll(): Promise<string[]> {
    const started: string[] = [];
    for (;;) {
      const outcome = await this.workers[0].next(this.pool, roomy, null);
      if (outcome.kind !== 'claimed') return started;
      started.push(outcome.taskId);
    }
  }

  private bounds(): LineBounds {
    const { batch_share: share, batch_max_wait_ms: waitMs } = this.pool.config.admission;
    const keys = { leaseKeys: [leaseKey('p', 'r0'), leaseKey('p', 'r1')], workersKey: workersKey('p') };
    const overdue = { ...batchShare(slots, share), maxWaitMs: waitMs, runPrefix: '{orchd}:run:' };
    return { capacity: null, classCapacity: null, makesRoom: false, slots, share: overdue, ...keys };
  }

  async open(taskId: string, { mask, session, kv } = anyReplica): Promise<void> {
    const request = JSON.stringify({ prompt: taskId });
    const marks = [
      ...(mask === null ? [] : ['mask', mask]),
      ...(session === null ? [] : ['home', session]),
      ...(kv === undefined ? [] : ['kv', `${kv}`]),
    ];
    await this.log.open({ taskId, attempts: 0, request, startedFrame: 'id: 1\n\n', hubId: null, marks });
  }

  async sessionsRan(): Promise<void> {
    for (const session of sessions) {
      const [pool = '', replica = ''] = session.split('/');
      await store.redis.hset(`${sessionKeyPrefix}${session}`, { g: 'g', pool, replica });
    }
  }

  async cancel(taskId: string): Promise<void> {
    await this.log.close(taskId, canceled);
    await this.line.leave('p', taskId);
  }

  async sums(): Promise<number[]> {
    const { tokensOf } = await this.line.depthAndTokens('p');
    return [tokensOf.interactive, tokensOf.batch];
  }
}

interface Waiting {
  readonly taskId: string;
  readonly enteredMs: number;
  readonly asks: Asks;
  isOpen: boolean;
}

interface Running {
  readonly taskId: string;
  readonly replicaId: string;
  readonly attempt: number;
  readonly priority: Class;
}

/** What claim-task.lua promises, said once more in plain code. */
class Model {
  readonly waiting: Record<Class, Waiting[]> = { interactive: [], batch: [] };
  running: Running[] = [];
  private passed = 0;

  constructor(private readonly share: number) {}

  /** Who starts next; null: nobody can. */
  next(): { task: Waiting; priority: Class } | null {
    const { interactive, batch } = this.first();
    const { slots: most, between } = batchShare(slots, this.share);
    const runningBatch = this.running.filter(({ priority }) => priority === 'batch').length;
    const hasStarved = batch !== undefined && batch.enteredMs <= nowMs - maxWaitMs;
    const isBatchsTurn = interactive === undefined || (hasStarved && runningBatch < most && this.passed >= between);
    if (isBatchsTurn) return batch === undefined ? null : { task: batch, priority: 'batch' };
    return { task: interactive, priority: 'interactive' };
  }

  start(priority: Class, running: Omit<Running, 'priority'>): void {
    this.waiting[priority] = this.waiting[priority].filter(({ taskId }) => taskId !== running.taskId);
    this.running.push({ ...running, priority });
    this.passed = priority === 'batch' ? 0 : this.passed + 1;
  }

  /** Where a task would run now: its session's replica, else the first that has the mask and a free slot, with the memory before without. */
  replicaFor({ mask, session, kv = 0 }: Asks): string | undefined {
    const free = replicas.filter(
      ({ id, slots: most, deviceMask }) =>
        this.running.filter(({ replicaId }) => replicaId === id).length < most && (mask ?? deviceMask) === deviceMask,
    );
    const roomy = free.find(({ kvRoomTokens }) => kv <= (kvRoomTokens ?? kv));
    return (free.find(({ id }) => `p/${id}` === session) ?? roomy ?? free[0])?.id;
  }

  /** Somebody waits for a replica that others can't replace. */
  get isBlocked(): boolean {
    return [...this.waiting.interactive, ...this.waiting.batch].some(
      ({ isOpen, asks }) => isOpen && asks.mask !== null,
    );
  }

  private first() {
    const canGo = ({ isOpen, asks }: Waiting): boolean =>
      isOpen && (asks.mask === null || this.replicaFor(asks) !== undefined);
    return { interactive: this.waiting.interactive.find(canGo), batch: this.waiting.batch.find(canGo) };
  }
}

const someStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('enter' as const),
      priority: fc.constantFrom<Class>('interactive', 'batch'),
      isOpen: fc.boolean(),
      asks: fc.record({
        mask: fc.constantFrom(null, null, '0' as const, '1' as const),
        session: fc.constantFrom(null, ...sessions),
        kv: fc.constantFrom(9, 50, 51, 1000),
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), which: fc.nat() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      worker: fc.constantFrom<0 | 1>(0, 1),
      named: fc.nat(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 800 }) }) },
);
type Step = typeof someStep extends fc.Arbitrary<infer Value> ? Value : never;

const at = <Item>(items: readonly Item[], which: number): Item | undefined => items[which % Math.max(1, items.length)];

async function step(drive: Drive, model: Model, one: Step): Promise<void> {
  const all = [...model.waiting.interactive, ...model.waiting.batch];
  switch (one.kind) {
    case 'enter': {
      const taskId = await drive.enter(one.priority);
      if (one.isOpen) await drive.open(taskId, one.asks);
      model.waiting[one.priority].push({ taskId, enteredMs: nowMs, asks: one.asks, isOpen: one.isOpen });
      return;
    }
    case 'open':
      return open(
        drive,
        at(
          all.filter(({ isOpen }) => !isOpen),
          one.which,
        ),
      );
    case 'claim':
      return claim(drive, model, one.worker, at(all, one.named)?.taskId ?? null);
    case 'end':
      return end(drive, model, at(model.running, one.which));
    case 'cancel':
      return cancel(
        drive,
        model,
        at(
          all.filter(({ isOpen }) => isOpen),
          one.which,
        ),
      );
    case 'wait':
      nowMs += one.ms;
  }
}

async function open(drive: Drive, task: Waiting | undefined): Promise<void> {
  if (task === undefined) return;
  await drive.open(task.taskId, task.asks);
  task.isOpen = true;
}

async function end(drive: Drive, model: Model, ended: Running | undefined): Promise<void> {
  if (ended === undefined) return;
  await drive.log.close(ended.taskId, canceled);
  await drive.leases.release({ ...ended, poolId: 'p' });
  model.running = model.running.filter((other) => other !== ended);
}

async function cancel(drive: Drive, model: Model, task: Waiting | undefined): Promise<void> {
  if (task === undefined) return;
  await drive.cancel(task.taskId);
  for (const priority of ['interactive', 'batch'] as const)
    model.waiting[priority] = model.waiting[priority].filter((other) => other !== task);
}

async function claim(drive: Drive, model: Model, worker: 0 | 1, named: string | null): Promise<void> {
  const outcome = await drive.workers[worker].next(drive.pool, replicas, named);
  const expected = model.next();
  if (expected === null) {
    expect(model.isBlocked ? ['blocked'] : ['idle', 'missing']).toContain(outcome.kind);
    return;
  }
  const replicaId = model.replicaFor(expected.task.asks);
  if (replicaId === undefined) {
    expect(outcome).toEqual({ kind: 'full' });
    return;
  }
  expect(outcome).toMatchObject({ kind: 'claimed', taskId: expected.task.taskId, attempt: 1, replicaId });
  if (outcome.kind === 'claimed') model.start(expected.priority, outcome);
}

describe('who starts next', () => {
  it.each([0, 0.1, 0.5])('is what the line says, whatever ticket which worker has: batch share %d', async (share) => {
    const steps = fc.array(someStep, { minLength: 10, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        await store.redis.flushall();
        const drive = new Drive(poolWith(share));
        await drive.sessionsRan();
        const model = new Model(share);
        for (const one of all) await step(drive, model, one);
        const { interactive, batch } = model.waiting;
        expect(await drive.line.depth('p')).toEqual({ interactive: interactive.length, batch: batch.length });
        expect(await drive.sums()).toEqual([interactive.length * 5, batch.length * 5]);
      }),
      { numRuns: 200 },
    );
  });

  it('is a task that lost its worker, before all who wait, by the ticket that names it', async () => {
    const drive = new Drive(poolWith(0.1));
    const lost = await drive.enter('batch');
    const next = await drive.enter('interactive');
    for (const taskId of [lost, next]) await drive.open(taskId);
    await drive.line.leave('p', next);
    const [worker, other] = drive.workers;
    expect(await worker.next(drive.pool, replicas, lost)).toMatchObject({ taskId: lost, attempt: 1 });
    // While its lease holds the ticket is for those who wait; then it waits for its end.
    const waiting = await drive.enter('interactive');
    await drive.open(waiting);
    expect(await other.next(drive.pool, replicas, lost)).toMatchObject({ taskId: waiting });
    expect(await other.next(drive.pool, replicas, lost)).toEqual({ kind: 'held' });
    nowMs += leaseMs + 1;
    await drive.enter('interactive').then((taskId) => drive.open(taskId));
    expect(await other.next(drive.pool, replicas, lost)).toMatchObject({ taskId: lost, attempt: 2 });
    // And one that lost its place starts by its own ticket.
    expect(await other.next(drive.pool, replicas, next)).toMatchObject({ taskId: next, attempt: 1 });
  });

  it('is nobody else when a worker asks for one task only', async () => {
    const drive = new Drive(poolWith(0.1));
    const [taskId, other] = [await drive.enter('interactive'), await drive.enter('interactive')];
    for (const id of [taskId, other]) await drive.open(id);
    const [worker] = drive.workers;
    const first = await worker.next(drive.pool, replicas, null);
    expect(first).toMatchObject({ taskId, replicaId: 'r0' });
    await drive.leases.release({ poolId: 'p', replicaId: 'r0', taskId, attempt: 1 });
    const rest = replicas.slice(1);
    expect(await worker.again(drive.pool, rest, taskId)).toMatchObject({ taskId, attempt: 2, replicaId: 'r1' });
    expect(await worker.again(drive.pool, [], taskId)).toEqual({ kind: 'held' });
    await drive.log.close(taskId, canceled);
    expect(await worker.again(drive.pool, replicas, taskId)).toEqual({ kind: 'closed' });
    expect(await drive.line.depth('p')).toEqual({ interactive: 1, batch: 0 });
  });
});

describe('a repeat on its way in', () => {
  it('takes no place once its twin has begun, whatever the row says by then', async () => {
    const drive = new Drive(poolWith(0));
    const taskId = await drive.enter('interactive');
    await drive.open(taskId);
    expect((await drive.enterAs(taskId, 'interactive')).kind).toBe('present');
    expect(await drive.line.depth('p')).toEqual({ interactive: 1, batch: 0 });
    expect(await drive.workers[0].next(drive.pool, replicas, null)).toMatchObject({ taskId });
    expect((await drive.enterAs(taskId, 'interactive')).kind).toBe('present');
    await drive.log.close(taskId, canceled);
    expect((await drive.enterAs(taskId, 'interactive')).kind).toBe('present');
    expect(await drive.line.depth('p')).toEqual({ interactive: 0, batch: 0 });
    expect(await drive.sums()).toEqual([0, 0]);
  });
});

describe('the place of a task', () => {
  it.each([
    { share: 0, waitMs: 1000 },
    { share: 0.1, waitMs: 1000 },
    { share: 0.5, waitMs: 1000 },
    { share: 1, waitMs: 0 },
  ])('is how many start before it when slots come free now: share $share, overdue after $waitMs ms', async (given) => {
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom<Class>('interactive', 'batch') },
      { weight: 1, arbitrary: fc.constantFrom('start' as const, 'wait' as const) },
    );
    const acts = fc.array(act, { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(acts, fc.constantFrom<Class>('interactive', 'batch'), async (all, next) => {
        await store.redis.flushall();
        const drive = new Drive(poolWith(given.share, given.waitMs));
        const tasks: { readonly taskId: string; readonly priority: Class }[] = [];
        const enter = async (priority: Class): Promise<string> => {
          const taskId = await drive.enter(priority);
          await drive.open(taskId);
          tasks.push({ taskId, priority });
          return taskId;
        };
        for (const one of all) {
          if (one === 'wait') nowMs += 600;
          else if (one === 'start') await drive.workers[0].next(drive.pool, roomy, null);
          else await enter(one);
        }
        const foreseen = await drive.foresee(next);
        const newcomer = await enter(next);
        const told = await Promise.all(tasks.map((task) => drive.positionOf(task.taskId, task.priority)));
        const started = await drive.startAll();
        expect(started[foreseen]).toBe(newcomer);
        const places = tasks.map(({ taskId }) => Math.max(0, started.indexOf(taskId)));
        expect(told).toEqual(places);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the share of batch', () => {
  it.each([
    { slots: 4, share: 0, expected: { slots: 0, between: 0 } },
    { slots: 1, share: 0.1, expected: { slots: 1, between: 9 } },
    { slots: 4, share: 0.1, expected: { slots: 1, between: 2 } },
    { slots: 10, share: 0.1, expected: { slots: 1, between: 0 } },
    { slots: 11, share: 0.1, expected: { slots: 2, between: 0 } },
    { slots: 2, share: 1, expected: { slots: 2, between: 0 } },
  ])('of $slots slots at $share is $expected.slots slots, $expected.between others between', (given) => {
    expect(batchShare(given.slots, given.share)).toEqual(given.expected);
  });
});
