import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Line } from '../../../src/modules/admission/index.js';
import { EngineError } from '../../../src/engines/engine-adapter.port.js';
import { BackInLine, ClaimTask, type RunView } from '../../../src/modules/dispatch/index.js';
import { endTemplate, EventLog } from '../../../src/modules/events/index.js';
import { leaseKey, Leases, workersKey, type LivePool } from '../../../src/modules/pools/index.js';
import { MoveTask } from '../../../src/modules/waiting/index.js';
import { freshRedis } from '../../support/stores.js';

type Class = 'interactive' | 'batch';
type PoolId = 'a' | 'b';

const pools = ['a', 'b'] as const;
const classes = ['interactive', 'batch'] as const;
const capacity = 4;
const slots = 1;
const leaseMs = 10_000_000;
const mostLosses = 2;
const canceled = endTemplate({ finish_reason: 'canceled', canceled: true });

let store: Awaited<ReturnType<typeof freshRedis>>;
let nowMs = 1_700_000_000_000;
const clock = { now: () => nowMs };

beforeAll(async () => {
  store = await freshRedis();
});

beforeEach(() => store.redis.flushall());

afterAll(() => store.drop());

interface Task {
  readonly taskId: string;
  readonly priority: Class;
  readonly tokens: number;
  /** Order of entry over both pools. */
  readonly nth: number;
  /** Where it waits; null: nowhere. */
  poolId: PoolId | null;
  /** Where it ever waited: a ticket of its may be left there. */
  readonly been: Set<PoolId>;
  isOpen: boolean;
  /** It was canceled, and whoever did it died before it left the line. */
  isClosed: boolean;
  /** Engines that were lost with it. */
  losses: number;
}

interface Run {
  readonly task: Task;
  readonly poolId: PoolId;
  readonly attempt: number;
}

/** Two pools of one slot each, driven as the processes drive them, beside a model in plain code. */
class Drive {
  readonly tasks: Task[] = [];
  readonly begun: string[] = [];
  running: Run[] = [];
  /** What was seen, and what the model says. */
  readonly found: unknown[] = [];
  readonly expected: unknown[] = [];
  private readonly line = new Line(store.redis, clock);
  private readonly log = new EventLog(store.redis, clock, 60, null);
  private readonly leases = new Leases(store.redis, clock);
  private readonly claims = new ClaimTask(store.redis, clock, leaseMs);
  private readonly moves = new MoveTask(store.redis, clock);
  private readonly backInLine = new BackInLine(
    store.redis,
    {
      queues: { of: () => null } as never, // No tickets here.
      deadlines: { watch: () => Promise.resolve() },
      tasks: { markWaiting: () => Promise.resolve(true) },
      clock,
    },
    mostLosses,
  );
  private entered = 0;

  constructor(private readonly makesRoom: boolean) {}

  waiting(poolId: PoolId, priority: Class): Task[] {
    const here = this.tasks.filter((task) => task.poolId === poolId && task.priority === priority);
    return here.sort((x, y) => x.nth - y.nth);
  }

  async live(): Promise<void> {
    for (const poolId of pools) await store.redis.zadd(workersKey(poolId), nowMs + leaseMs, 'w');
  }

  async enter(poolId: PoolId, priority: Class, isOpen: boolean): Promise<void> {
    const task: Task = {
      taskId: randomUUID(),
      priority,
      tokens: 5 + this.entered,
      nth: (this.entered += 1),
      poolId: null,
      been: new Set([poolId]),
      isOpen: false,
      isClosed: false,
      losses: 0,
    };
    const { kind, droppedTaskId } = await this.line.enter(
      { taskId: task.taskId, poolId, priority, expectedTokens: task.tokens },
      { ...this.bounds(poolId), makesRoom: this.makesRoom },
    );
    if (kind !== 'entered') return;
    task.poolId = poolId;
    this.tasks.push(task);
    const dropped = this.tasks.find(({ taskId }) => taskId === droppedTaskId);
    if (dropped !== undefined) dropped.poolId = null;
    if (isOpen) await this.open(task);
  }

  async open(task: Task | undefined): Promise<void> {
    if (task === undefined) return;
    await this.log.open({
      taskId: task.taskId,
      attempts: 0,
      request: JSON.stringify({ prompt: '', told: { since_ms: 1 } }),
      startedFrame: 'id: 1\nevent: started\ndata: {}\n\n',
      hubId: null,
    });
    task.isOpen = true;
  }

  async cancel(task: Task | undefined, leaves: boolean): Promise<void> {
    if (task === undefined) return;
    await this.log.close(task.taskId, canceled);
    task.isClosed = task.isOpen;
    if (!leaves) return;
    await this.line.leave(task.poolId ?? 'a', task.taskId);
    task.poolId = null;
  }

  /** Nobody withdraws its ticket of the line that it leaves. */
  async move(task: Task | undefined, from: PoolId): Promise<void> {
    if (task === undefined) return;
    const to = from === 'a' ? 'b' : 'a';
    const room = capacity + this.free(to) - this.depth(to);
    const outcome = await this.moves.run({
      taskId: task.taskId,
      fromPoolId: from,
      toPoolId: to,
      bounds: this.bounds(to),
      human: 'It was {moved}.',
    });
    const waits = task.poolId === from && task.isOpen && !task.isClosed;
    const expected = !waits ? 'gone' : room > 0 ? 'moved' : 'full';
    this.saw(outcome, expected);
    if (outcome !== 'moved') return;
    task.poolId = to;
    task.been.add(to);
  }

  /** A worker of the pool gets a ticket, which may name a task that has gone to the other one. */
  async claim(poolId: PoolId, named: Task | undefined): Promise<void> {
    const pool = {
      config: { id: poolId, admission: { batch_share: 0, batch_max_wait_ms: 1 } },
      replicas: [{ known: { id: 'r0' } }],
      slots,
    } as unknown as LivePool; // Only what claiming looks at.
    const replicas = [{ id: 'r0', slots, deviceMask: null, kvRoomTokens: null }];
    const first = this.first(poolId, named);
    const outcome = await this.claims.next(pool, replicas, named?.taskId ?? null);
    if (outcome.kind !== 'claimed') {
      this.saw(first === undefined || this.free(poolId) === 0, true);
      return;
    }
    this.saw(outcome.taskId, first?.taskId);
    const task = this.tasks.find(({ taskId }) => taskId === outcome.taskId);
    if (task === undefined) throw new Error('unreachable');
    this.begun.push(task.taskId);
    task.poolId = null;
    this.running.push({ task, poolId, attempt: outcome.attempt });
  }

  /** Its engine is gone, and had not answered. */
  async lose(run: Run | undefined, wasSent: boolean): Promise<void> {
    if (run === undefined) return;
    const { task, poolId, attempt } = run;
    const request = { priority: task.priority, expected_tokens: task.tokens };
    const lease = { poolId, replicaId: 'r0', taskId: task.taskId, attempt };
    const view = { taskId: task.taskId, lease, claim: { attempt, request } } as unknown as RunView;
    const error = new EngineError('REPLICA_EXHAUSTED', 'refused', { isAway: true, wasSent });
    const outcome = await this.backInLine.enter(view, error, new AbortController().signal);
    const losses = task.losses + (wasSent ? 1 : 0);
    this.saw(outcome, losses > mostLosses ? 'exhausted' : 'waits');
    if (outcome !== 'waits') return;
    // As after a reply that was lost.
    this.saw(await this.backInLine.enter(view, error, new AbortController().signal), 'waits');
    task.losses = losses;
    task.poolId = poolId;
    this.begun.splice(this.begun.indexOf(task.taskId), 1);
    this.running = this.running.filter((other) => other !== run);
  }

  async end(run: Run | undefined): Promise<void> {
    if (run === undefined) return;
    const { task, poolId, attempt } = run;
    await this.log.close(task.taskId, canceled);
    await this.leases.release({ poolId, replicaId: 'r0', taskId: task.taskId, attempt });
    this.running = this.running.filter((other) => other !== run);
  }

  /** Looks at everything there is. */
  async look(): Promise<void> {
    for (const poolId of pools) {
      const sums = { interactive: 0, batch: 0 };
      for (const priority of classes) {
        const waiting = this.waiting(poolId, priority);
        const ids = await store.redis.zrange(`{orchd}:line:${poolId}:${priority}`, '0', '-1');
        this.saw(
          ids,
          waiting.map(({ taskId }) => taskId),
        );
        sums[priority] = waiting.reduce((sum, { tokens }) => sum + tokens, 0);
      }
      this.saw((await this.line.depthAndTokens(poolId)).tokensOf, sums);
      this.saw(this.depth(poolId) <= capacity + slots, true);
    }
    this.saw(new Set(this.begun).size, this.begun.length);
  }

  private saw(found: unknown, expected: unknown): void {
    this.found.push(found);
    this.expected.push(expected);
  }

  /** Who starts next; those that a claim comes across and who wait no more are gone afterwards. */
  private first(poolId: PoolId, named: Task | undefined): Task | undefined {
    if (named?.isClosed === true && named.poolId === poolId) named.poolId = null;
    for (const task of classes.flatMap((priority) => this.waiting(poolId, priority))) {
      if (task.isClosed) task.poolId = null;
      else if (task.isOpen) return task;
    }
    return undefined;
  }

  private free(poolId: PoolId): number {
    return slots - this.running.filter((run) => run.poolId === poolId).length;
  }

  private depth(poolId: PoolId): number {
    return this.tasks.filter((task) => task.poolId === poolId).length;
  }

  private bounds(poolId: PoolId) {
    const keys = { leaseKeys: [leaseKey(poolId, 'r0')], workersKey: workersKey(poolId) };
    const share = { slots: 0, between: 0, maxWaitMs: 0, runPrefix: '{orchd}:run:' };
    return { capacity, classCapacity: null, slots, share, ...keys };
  }
}

const poolId = fc.constantFrom(...pools);
const which = fc.nat();
const someStep = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('enter' as const),
      poolId,
      priority: fc.constantFrom(...classes),
      isOpen: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), which }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('move' as const), which, poolId }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim' as const), which, poolId }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('lose' as const), which, wasSent: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which, leaves: fc.boolean() }) },
);
type Step = typeof someStep extends fc.Arbitrary<infer Value> ? Value : never;

const at = <Item>(items: readonly Item[], nth: number): Item | undefined => items[nth % Math.max(1, items.length)];

async function step(drive: Drive, one: Step): Promise<void> {
  const waiting = drive.tasks.filter((task) => task.poolId !== null);
  switch (one.kind) {
    case 'enter':
      return drive.enter(one.poolId, one.priority, one.isOpen);
    case 'open':
      return drive.open(
        at(
          waiting.filter(({ isOpen, isClosed }) => !isOpen && !isClosed),
          one.which,
        ),
      );
    case 'move':
      return drive.move(at(drive.tasks, one.which), one.poolId);
    case 'claim': {
      const named = waiting.filter(({ been }) => been.has(one.poolId));
      return drive.claim(one.poolId, at(named, one.which));
    }
    case 'end':
      return drive.end(at(drive.running, one.which));
    case 'lose':
      return drive.lose(at(drive.running, one.which), one.wasSent);
    case 'cancel':
      return drive.cancel(at(waiting, one.which), one.leaves);
  }
}

describe('a task that is moved from line to line', () => {
  it.each([false, true])(
    'waits in one line at a time and begins once, in order of entry, within all bounds; drop-lru: %s',
    async (makesRoom) => {
      const steps = fc.array(someStep, { minLength: 10, maxLength: 50 });
      await fc.assert(
        fc.asyncProperty(steps, async (all) => {
          await store.redis.flushall();
          const drive = new Drive(makesRoom);
          await drive.live();
          for (const one of all) await step(drive, one);
          await drive.look();
          expect(drive.found).toEqual(drive.expected);
        }),
        { numRuns: 150 },
      );
    },
  );
});
