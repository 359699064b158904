import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MoveTask } from '../../src/modules/waiting/index.js';
import { leaseKey, workersKey } from '../../src/modules/pools/index.js';
import { systemClock } from '../../src/platform/clock/clock.js';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient, type StreamEvent } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const engines = new Map<string, ScriptedEngine>();
let all: Deployment;
let apis: readonly [RunningOrchestrator, RunningOrchestrator];

/** `tell` is for frames alone; `a` and `b` take the same tasks, `small` too if they ask for little. */
const pools = ['tell', 'a', 'b', 'small'];

beforeAll(async () => {
  for (const id of pools) engines.set(id, await ScriptedEngine.start({ slots: 1 }));
  const config = {
    pools: pools.map((id) => ({
      id,
      aliases: id === 'tell' ? [] : ['shared'],
      engine: { id: 'llamacpp' },
      model: { ref: `model-${id}` },
      ...(id === 'small' && { ctx: 64 }),
      queue: { capacity: id === 'b' ? 4 : 50 },
      admission: { place_again_after_ms: 400 },
      health: { interval_ms: 100, timeout_ms: 5000 },
      replicas: [{ id: 'r0', url: engineOf(id).url }],
    })),
    streaming: { queue_frame_ms: 200 },
  };
  all = await Deployment.create({ engines: [], config });
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

/** Takes the slot of a pool; the run ends when the test says so. */
async function occupy(pool: string) {
  const busy = aTask({ model_ref: `model-${pool}` });
  await submit(apis[0].url, busy);
  return engineOf(pool).run(busy.prompt);
}

/** What waits, and its readers: a plain one and a verbose one, each at another process. */
async function waiting(change: Readonly<Record<string, unknown>>) {
  const task = aTask(change);
  const reader = await SseClient.post(apis[0].url, task);
  const verbose = await SseClient.read(apis[1].url, task.task_id, { verbose: true });
  return { ...task, reader, verbose };
}
type Waiting = Awaited<ReturnType<typeof waiting>>;

const queuedFrames = ({ events }: SseClient): StreamEvent[] => events.filter(({ data }) => data['phase'] === 'queued');

/** Lines of either process that say why somebody may not have been told. */
function complaints(): string {
  const lines = apis.flatMap((api) => api.logs().split('\n'));
  return lines.filter((line) => line.includes('line not looked after')).join('\n');
}

/** The newest frame that says so: another may have followed it before we looked. */
async function told(client: SseClient, expected: object): Promise<StreamEvent> {
  return waitUntil(`to be told ${JSON.stringify(expected)}`, () => {
    const found = queuedFrames(client).findLast(({ data }) => isLike(data, expected));
    if (found === undefined) throw new Error(`what was said is\n${client.frames}\n${complaints()}`);
    return found;
  });
}

function isLike(data: object, expected: object): boolean {
  try {
    expect(data).toMatchObject(expected);
    return true;
  } catch {
    return false;
  }
}

const answered = new Set<ScriptedRun>();

function answer(run: ScriptedRun): void {
  if (answered.has(run)) return;
  answered.add(run);
  run.tokens(2);
  run.end();
}

function answerAll(...ids: readonly string[]): void {
  for (const id of ids) {
    const engine = engineOf(id);
    engine.onRun = answer;
    engine.runs.forEach(answer);
  }
}

function answerNone(): void {
  for (const engine of engines.values()) engine.onRun = () => undefined;
}

/** The whole stream: nothing of the queue once it has begun, and the same for whoever reads it whenever. */
async function expectWholeStory({ task_id: taskId, reader, verbose }: Waiting): Promise<StreamEvent> {
  const end = expectWholeStream(await reader.untilEnd());
  expectWholeStream(await verbose.untilEnd());
  const begun = reader.events.findIndex(({ event, data }) => event === 'token' || data['phase'] === 'decoding');
  const after = begun < 0 ? [] : reader.events.slice(begun);
  expect(after.filter(({ data }) => data['phase'] === 'queued')).toEqual([]);
  expect(verbose.events.map(({ id, event }) => [id, event])).toEqual(reader.events.map(({ id, event }) => [id, event]));
  const half = await SseClient.read(apis[1].url, taskId, { lastEventId: 2 });
  await half.untilEnd();
  expect(reader.frames.endsWith(half.frames)).toBe(true);
  await all.untilState(taskId, 'completed', 'failed', 'canceled');
  await all.redis?.del(`{orchd}:run:${taskId}`, `{orchd}:events:${taskId}`);
  for (const [old, isVerbose] of [[reader, false] as const, [verbose, true] as const]) {
    const late = await SseClient.read(apis[0].url, taskId, { verbose: isVerbose });
    await late.untilEnd();
    expect(late.frames).toBe(old.frames);
  }
  return end;
}

async function read(taskId: string): Promise<Record<string, unknown>> {
  const answer = await call(`${apis[1].url}/v2/tasks/${taskId}`);
  expectDocumented('GET', '/v2/tasks/{id}', answer);
  return answer.body as Record<string, unknown>;
}

describe('a waiting user', () => {
  it('is told of the place in line as it changes, the same by all who can be asked, and of nothing more once it begins', async () => {
    const busy = await occupy('tell');
    const [first, second, third] = [
      await waiting({ model_ref: 'model-tell' }),
      await waiting({ model_ref: 'model-tell' }),
      await waiting({ model_ref: 'model-tell', priority: 'batch' }),
    ];
    const unread = aTask({ model_ref: 'model-tell' });
    await submit(apis[0].url, unread);
    await told(third.reader, { queue_position: 3, queue_depth: 4 });
    await told(second.reader, { queue_position: 1 });
    expect((await read(third.task_id))['queue_position']).toBe(3);
    await cancel(apis[1].url, first.task_id);
    await told(second.reader, { queue_position: 0, queue_depth: 3 });
    const { data } = await told(third.verbose, { queue_position: 2 });
    expect(data['human']).toBe('2 tasks start before it.');
    expect((await read(third.task_id))['queue_position']).toBe(2);
    // Nothing was measured yet: nothing is predicted.
    expect(data).not.toHaveProperty('predicted_start_ms');
    expect(await all.redis?.xlen(`{orchd}:events:${unread.task_id}`)).toBe(0);
    answer(busy);
    const run = await engineOf('tell').run(second.prompt);
    await told(third.reader, { queue_position: 1, predicted_start_ms: expect.any(Number) as number });
    answer(run);
    answerAll('tell');
    for (const task of [first, second, third]) await expectWholeStory(task);
    const frames = queuedFrames(third.reader);
    expect(frames.map((frame) => Object.keys(frame.data).includes('human'))).not.toContain(true);
    // Two processes look after the line; what they tell is told once.
    const said = frames.map((frame) => JSON.stringify(frame.data));
    expect(said.filter((text, at) => text === said[at - 1])).toEqual([]);
    answerNone();
  });

  it('loses no token when Redis comes back empty while it was being told', async () => {
    const busy = await occupy('tell');
    const [first, second] = [await waiting({ model_ref: 'model-tell' }), await waiting({ model_ref: 'model-tell' })];
    await told(second.reader, { queue_position: 1 });
    await cancel(apis[1].url, first.task_id);
    await told(second.reader, { queue_position: 0 });
    expect(second.reader.lastId).toBeGreaterThan(2);
    await all.redis?.flushall();
    answer(busy);
    answerAll('tell');
    expect(expectWholeStream(await second.reader.untilEnd(40_000)).event).toBe('end');
    expect(second.reader.tokens).toHaveLength(2);
    answerNone();
  });
});

describe('a task whose pool stops being ready while it waits', () => {
  const shared = (placement: object, change: object = {}) =>
    waiting({
      model_ref: 'shared',
      max_tokens: 100,
      placement: { prefer_pools: ['a'], mode: 'prefer', ...placement },
      ...change,
    });

  it('is started by no pool but the one it was moved to, also when whoever moved it dies before anybody else knows', async () => {
    const [busy, other] = [await occupy('a'), await occupy('b')];
    const task = await shared({});
    if (all.redis === null) throw new Error('unreachable');
    const bounds = {
      capacity: null,
      classCapacity: null,
      slots: 1,
      share: { slots: 0, between: 0, maxWaitMs: 0, runPrefix: '{orchd}:run:' },
      leaseKeys: [leaseKey('b', 'r0')],
      workersKey: workersKey('b'),
    };
    const move = { taskId: task.task_id, fromPoolId: 'a', toPoolId: 'b', bounds, human: 'It was moved.' };
    const moveTask = new MoveTask(all.redis, systemClock);
    expect(await moveTask.run(move)).toBe('moved');
    expect(await moveTask.run(move)).toBe('gone');
    await told(task.reader, { pool_id: 'b', queue_position: 0, queue_depth: 1 });
    answer(busy);
    // Its ticket of pool a calls a worker, and so does that of the next.
    const next = aTask({ model_ref: 'model-a' });
    await submit(apis[0].url, next);
    answer(await engineOf('a').run(next.prompt));
    await all.untilState(next.task_id, 'completed');
    expect(engineOf('a').runsOf(task.prompt)).toEqual([]);
    await waitUntil('the row to follow', async () => (await all.row(task.task_id))?.['pool_id'] === 'b');
    answer(other);
    answer(await engineOf('b').run(task.prompt));
    expect((await expectWholeStory(task)).event).toBe('end');
    expect(await read(task.task_id)).toMatchObject({
      pool_id: 'b',
      replica_id: 'r0',
      placement: { earlier_pools: ['a'] },
    });
    expect([...engines.values()].flatMap((engine) => engine.runsOf(task.prompt))).toHaveLength(1);
  });

  it('is placed in another pool, in its turn, within the bounds there, and is told; unless it is not to fall back', async () => {
    const busy = await occupy('b');
    await occupy('a');
    const pinned = await waiting({
      model_ref: 'shared',
      placement: { mode: 'pin', pin_pool_id: 'a' },
      deadline_ms: 60_000,
    });
    const loyal = await shared({ allow_fallback: false });
    const batch = await shared({}, { priority: 'batch' });
    const either = { prefer_pools: ['a', 'b'], allow_fallback: false };
    const movable = [
      await shared(either),
      await shared({}),
      await shared({ avoid_pools: ['small'] }),
      await shared({}),
    ];
    const native = await waiting({ model_ref: 'model-b' });
    await engineOf('a').die();
    // b has room for three more, and they are as old as they are.
    for (const [place, task] of movable.slice(0, 3).entries()) {
      await told(task.reader, { pool_id: 'b', queue_position: place });
      await waitUntil('the row to follow', async () => (await all.row(task.task_id))?.['pool_id'] === 'b');
      expect(await read(task.task_id)).toMatchObject({
        pool_id: 'b',
        queue_position: place,
        placement: { pool_id: 'b', earlier_pools: ['a'] },
      });
    }
    await told(native.reader, { queue_position: 3, queue_depth: 4 });
    for (const task of [pinned, loyal]) await told(task.reader, { pool_ready: false });
    expect(queuedFrames(pinned.verbose).at(-1)?.data['human']).toMatch(
      /^Its pool is not ready, .* until its deadline in about \d+ seconds\.$/,
    );
    for (const task of [...movable.slice(3), batch]) await told(task.reader, { pool_ready: false });
    answer(busy);
    const run = await engineOf('b').run(movable[0]?.prompt ?? '');
    // Room for one, and it is the next in line who gets it.
    await told(movable[3]?.reader ?? batch.reader, { pool_id: 'b' });
    await engineOf('a').comeBack();
    answerAll('a', 'b');
    answer(run);
    for (const task of [...movable, native, batch, pinned, loyal]) {
      const end = await expectWholeStory(task);
      expect(end).toMatchObject({ event: 'end', data: { finish_reason: 'stop' } });
      expect([...engines.values()].flatMap((engine) => engine.runsOf(task.prompt))).toHaveLength(1);
    }
    for (const { prompt } of [pinned, loyal]) expect(engineOf('a').runsOf(prompt)).toHaveLength(1);
    answerNone();
  });
});
