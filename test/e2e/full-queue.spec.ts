import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Line } from '../../src/modules/admission/index.js';
import { leaseKey, workersKey } from '../../src/modules/pools/index.js';
import { systemClock } from '../../src/platform/clock/clock.js';
import { type Answer, aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

type TestTask = ReturnType<typeof aTask> & { readonly priority: string };

interface Posted {
  readonly task: TestTask;
  readonly answer: Answer;
}

const capacity = 50;
const burst = 200;
/** One pool a case, by id; each has one slot. */
const queues: Readonly<Record<string, object>> = {
  reject: { capacity },
  drop: { capacity, full_policy: 'drop-lru' },
  shed: { capacity, full_policy: 'shed-low-priority' },
  one: { capacity: 1, full_policy: 'drop-lru' },
  five: { capacity: 5, full_policy: 'drop-lru' },
};

let all: Deployment;
let apis: [RunningOrchestrator, RunningOrchestrator];
const engines = new Map<string, ScriptedEngine>();

beforeAll(async () => {
  for (const id of Object.keys(queues)) engines.set(id, await ScriptedEngine.start({ slots: 1 }));
  const pools = Object.entries(queues).map(([id, queue]) => ({
    id,
    engine: { id: 'llamacpp' },
    model: { ref: id },
    queue,
    replicas: [{ id: 'r0', url: engineOf(id).url }],
  }));
  all = await Deployment.create({ engines: [], config: { pools } });
  const [first, second] = await Promise.all([all.start(['api']), all.start(['api']), all.start(['worker'])]);
  apis = [first, second];
});

afterAll(async () => {
  await all.drop();
  for (const engine of engines.values()) await engine.die();
});

function engineOf(pool: string): ScriptedEngine {
  const engine = engines.get(pool);
  if (engine === undefined) throw new Error(`no pool ${pool}`);
  return engine;
}

const many = (count: number, pool: string, priority: string): TestTask[] =>
  Array.from({ length: count }, () => ({ ...aTask({ model_ref: pool }), priority }));

/** Takes the slot of a pool, so that everybody else waits. */
async function occupy(pool: string): Promise<void> {
  const busy = aTask({ model_ref: pool });
  engineOf(pool).onRun = () => undefined;
  await submit(apis[0].url, busy);
  await engineOf(pool).run(busy.prompt);
}

/** Hands tasks in at once, by turns at both processes. */
async function flood(tasks: readonly TestTask[]): Promise<Posted[]> {
  const post = async (task: TestTask, n: number): Promise<Posted> => ({
    task,
    answer: await call(`${apis[n % 2 === 0 ? 0 : 1].url}/v2/tasks`, 'POST', task),
  });
  return Promise.all(tasks.map(post));
}

const accepted = (posted: readonly Posted[]) => posted.filter(({ answer }) => answer.status === 202);
const refused = (posted: readonly Posted[]) => posted.filter(({ answer }) => answer.status !== 202);
const idsOf = (posted: readonly Posted[]) => posted.map(({ task }) => task.task_id);

function expectRefused({ task, answer }: Posted, code: string, label: string): void {
  expect(answer).toMatchObject({
    status: 429,
    body: { code, policy_label: label, retriable: true, pool_id: task.model_ref },
  });
  expectDocumented('POST', '/v2/tasks', answer);
  const { retry_after_ms: ms } = answer.body as { retry_after_ms: number };
  expect(answer.headers.get('x-backoff-ms')).toBe(String(ms));
  expect(answer.headers.get('retry-after')).toBe(String(Math.ceil(ms / 1000)));
}

async function waiting(pool: string): Promise<number> {
  const { body } = await call(`${apis[1].url}/v2/pools/${pool}`);
  const { interactive, batch } = (body as { queue: { depth: { interactive: number; batch: number } } }).queue.depth;
  return interactive + batch;
}

/** Lets the engine answer everything, and counts how tasks ended; each stream is whole. */
async function endings(pool: string, taskIds: readonly string[]): Promise<Record<string, number>> {
  const engine = engineOf(pool);
  engine.onRun = (run) => {
    run.tokens(1);
    run.end();
  };
  for (const run of engine.runs.filter(({ sent }) => sent === 0)) engine.onRun(run);
  const counts: Record<string, number> = {};
  const count = async (taskId: string, n: number): Promise<void> => {
    const reader = await SseClient.read(apis[n % 2 === 0 ? 1 : 0].url, taskId);
    const { event, data } = expectWholeStream(await reader.untilEnd(40_000));
    const how = event === 'end' ? 'end' : String(data['code']);
    counts[how] = (counts[how] ?? 0) + 1;
  };
  await Promise.all(taskIds.map(count));
  return counts;
}

async function expectNothingLeft(pool: string): Promise<void> {
  await waitUntil('every row to have ended', async () => {
    const open = await all.db.query(`SELECT 1 FROM tasks WHERE pool_id = $1 AND state IN ('queued', 'running')`, [
      pool,
    ]);
    return open.rows.length === 0;
  });
  await waitUntil('the line to be empty', async () => {
    const keys = (await all.redis?.keys(`{orchd}:line:${pool}:*`)) ?? [];
    return keys.every((key) => key.endsWith(':sums'));
  });
  const sums = (await all.redis?.hmget(`{orchd}:line:${pool}:sums`, 'interactive', 'batch')) ?? [];
  expect(sums.filter((sum) => sum !== null && sum !== '0')).toEqual([]);
}

/** Of both processes together. */
async function metric(name: string): Promise<number> {
  const texts = await Promise.all(apis.map(async ({ url }) => String((await call(`${url}/metrics`)).body)));
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line.startsWith(name)));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const pushedBack = (policy: string) =>
  metric(`admission_backpressure_events_total{engine="llamacpp",policy="${policy}"}`);

describe('a full queue', () => {
  it(`that refuses accepts exactly ${capacity} of ${burst} at once at two processes, and each of them ends once`, async () => {
    await occupy('reject');
    const posted = await flood([...many(burst / 2, 'reject', 'batch'), ...many(burst / 2, 'reject', 'interactive')]);
    expect(accepted(posted)).toHaveLength(capacity);
    for (const one of refused(posted)) expectRefused(one, 'ADMISSION_REJECT', 'reject');
    expect(await waiting('reject')).toBe(capacity);
    expect(await pushedBack('reject')).toBe(burst - capacity);
    expect(await metric('tasks_rejected_total{engine="llamacpp",reason="ADMISSION_REJECT"}')).toBe(burst - capacity);
    expect(await endings('reject', idsOf(accepted(posted)))).toEqual({ end: capacity });
    await expectNothingLeft('reject');
  });

  it('that sheds refuses batch from its watermark on and keeps the rest for interactive tasks, exactly', async () => {
    await occupy('shed');
    const batch = await flood(many(burst / 2, 'shed', 'batch'));
    expect(accepted(batch)).toHaveLength(45);
    const interactive = await flood(many(burst / 2, 'shed', 'interactive'));
    expect(accepted(interactive)).toHaveLength(5);
    for (const one of refused([...batch, ...interactive])) expectRefused(one, 'ADMISSION_REJECT', 'shed-low-priority');
    await cancel(apis[0].url, accepted(interactive)[0]?.task.task_id ?? '');
    for (const one of await flood(many(3, 'shed', 'batch')))
      expectRefused(one, 'ADMISSION_REJECT', 'shed-low-priority');
    expect(await endings('shed', idsOf(accepted([...batch, ...interactive])))).toEqual({ end: capacity });
    await expectNothingLeft('shed');
  });
});

describe('a full queue that drops', () => {
  it('takes newcomers for older tasks, tells the dropped at once, and never holds more than its capacity', async () => {
    await occupy('drop');
    const oldest = aTask({ model_ref: 'drop', priority: 'batch' });
    const reader = await SseClient.post(apis[0].url, oldest);
    const first = await flood([...many(burst / 2, 'drop', 'batch'), ...many(burst / 2, 'drop', 'interactive')]);
    expect(await waiting('drop')).toBe(capacity);
    const error = expectWholeStream(await reader.untilEnd());
    expect(error).toMatchObject({ event: 'error', data: { code: 'QUEUE_FULL_DROP_LRU', retriable: true } });
    expect(error.data['retry_after_ms']).toBeGreaterThan(0);
    for (const { task } of refused(first)) expect(task.priority).toBe('batch');
    const second = await flood(many(60, 'drop', 'interactive'));
    expect(accepted(second)).toHaveLength(60);
    const third = await flood(many(5, 'drop', 'batch'));
    for (const one of refused([...first, ...third])) expectRefused(one, 'QUEUE_FULL_DROP_LRU', 'drop-lru');
    expect(refused(third)).toHaveLength(5);
    expect(await waiting('drop')).toBe(capacity);
    const known = accepted([...first, ...second]);
    const dropped = known.length - capacity;
    expect(await endings('drop', idsOf(known))).toEqual({ end: capacity, QUEUE_FULL_DROP_LRU: dropped });
    expect(await pushedBack('drop-lru')).toBe(1 + dropped + refused([...first, ...third]).length);
    await expectNothingLeft('drop');
    const row = await all.row(oldest.task_id);
    expect(row).toMatchObject({ state: 'failed', error: { code: 'QUEUE_FULL_DROP_LRU' }, request: null });
    const transcript = await call(`${apis[1].url}/v2/artifacts/${String(row?.['artifact_id'])}`);
    expect(transcript).toMatchObject({ status: 200, body: { kind: 'transcript' } });
  });

  it('ends the dropped also when the process that took their places dies before it could, and gives the places back', async () => {
    await occupy('one');
    const victim = aTask({ model_ref: 'one', priority: 'batch' });
    const reader = await SseClient.post(apis[0].url, victim);
    if (all.redis === null) throw new Error('unreachable');
    // What a process does that is killed right after enter-line.lua.
    const orphan = { taskId: aTask().task_id, poolId: 'one', priority: 'interactive', expectedTokens: 7 } as const;
    const outcome = await new Line(all.redis, systemClock).enter(orphan, {
      capacity: 1,
      classCapacity: null,
      makesRoom: true,
      slots: 1,
      share: { slots: 0, between: 0, maxWaitMs: 0, runPrefix: '{orchd}:run:' },
      leaseKeys: [leaseKey('one', 'r0')],
      workersKey: workersKey('one'),
    });
    expect(outcome).toMatchObject({ kind: 'entered', droppedTaskId: victim.task_id });
    const error = expectWholeStream(await reader.untilEnd());
    expect(error).toMatchObject({ event: 'error', data: { code: 'QUEUE_FULL_DROP_LRU' } });
    expect(await endings('one', [victim.task_id])).toEqual({ QUEUE_FULL_DROP_LRU: 1 });
    await waitUntil('the place of the dead submit', async () => (await waiting('one')) === 0, 40_000);
    expect(engineOf('one').runsOf(victim.prompt)).toEqual([]);
    await expectNothingLeft('one');
  });

  it('never begins a task that lost its place, whoever is slow to end it', async () => {
    await occupy('one');
    const victim = aTask({ model_ref: 'one', priority: 'batch' });
    await submit(apis[0].url, victim);
    if (all.redis === null) throw new Error('unreachable');
    await all.redis.zadd('{orchd}:line:one:dropped', Date.now() + 3000, victim.task_id);
    expect(await endings('one', [victim.task_id])).toEqual({ QUEUE_FULL_DROP_LRU: 1 });
    expect(engineOf('one').runsOf(victim.prompt)).toEqual([]);
    await expectNothingLeft('one');
  });

  it('keeps every promise to those it accepted when one of two processes is killed in the midst of a flood', async () => {
    await occupy('five');
    const [doomed] = apis;
    const waves = 10;
    const posted: Posted[] = [];
    const post = async (task: TestTask, n: number): Promise<void> => {
      const answer = await call(`${apis[n % 2 === 0 ? 0 : 1].url}/v2/tasks`, 'POST', task).catch(() => null);
      if (answer !== null) posted.push({ task, answer });
    };
    for (let wave = 0; wave < waves; wave++) {
      const posting = many(burst / waves, 'five', 'batch').map(post);
      if (wave === waves / 2) await doomed.kill9();
      await Promise.all(posting);
    }
    expect(posted.length).toBeLessThan(burst);
    apis[0] = await all.start(['api']);
    const known = idsOf(accepted(posted));
    const counts = await endings('five', known);
    expect((counts['end'] ?? 0) + (counts['QUEUE_FULL_DROP_LRU'] ?? 0)).toBe(known.length);
    await expectNothingLeft('five');
  });
});
