import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const slots = 2;
const lockMs = 1000;

describe('a worker that is lost', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let api: RunningOrchestrator;
  let worker: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots });
    all = await Deployment.create({
      engines: [engine.url],
      config: { worker: { lock_ms: lockMs, shutdown_grace_ms: 20_000 } },
    });
    [api, worker] = await Promise.all([all.start(['api']), all.start(['worker'])]);
  });

  afterEach(() => {
    engine.onRun = () => undefined;
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  async function submitted(): Promise<{ taskId: string; prompt: string; reader: SseClient }> {
    const task = aTask();
    const reader = await SseClient.post(api.url, task);
    return { taskId: task.task_id, prompt: task.prompt, reader };
  }

  /** A task whose reader has seen three tokens. */
  async function answering(): Promise<Awaited<ReturnType<typeof submitted>> & { run: ScriptedRun }> {
    const task = await submitted();
    const run = await engine.run(task.prompt);
    run.tokens(3);
    await task.reader.untilTokens(3);
    return { ...task, run };
  }

  /** A task that a worker has begun and the engine not answered. */
  async function begun(): Promise<Awaited<ReturnType<typeof submitted>> & { run: ScriptedRun }> {
    const task = await submitted();
    const run = await engine.run(task.prompt);
    await waitUntil('the row to say so', async () => (await all.row(task.taskId))?.['state'] === 'running');
    return { ...task, run };
  }

  const answerAll = (run: ScriptedRun): void => {
    run.tokens(2);
    run.end();
  };

  it('costs no task its end: those that wait or had no token yet run elsewhere, the others go on elsewhere', async () => {
    const mid = await answering();
    const early = await begun();
    const waiting = [await submitted(), await submitted()];
    const position = ((await call(`${api.url}/v2/tasks/${waiting[1]?.taskId}`)).body as { queue_position: number })
      .queue_position;
    expect(position).toBe(1);
    await worker.kill9();
    engine.onRun = answerAll;
    worker = await all.start(['worker']);

    const end = expectWholeStream(await mid.reader.untilEnd());
    expect(end).toMatchObject({ event: 'end', data: { tokens_in: 3, tokens_out: 5 } });
    expect(mid.reader.tokens).toHaveLength(5);
    for (const { reader } of [early, ...waiting]) {
      expect(expectWholeStream(await reader.untilEnd()).event).toBe('end');
      expect(reader.tokens).toHaveLength(2);
    }
    expect(engine.runsOf(early.prompt)).toHaveLength(2);
    expect(engine.runsOf(mid.prompt)).toHaveLength(1);
    expect(engine.runsOf(`${mid.prompt} t0 t1 t2`)).toMatchObject([{ body: { n_predict: 997 } }]);
    await waitUntil('the rows', async () => (await all.row(mid.taskId))?.['state'] === 'completed');
    const again = await SseClient.read(api.url, mid.taskId);
    await again.untilEnd();
    expect(again.frames).toBe(mid.reader.frames);
  });

  it('lets its tasks be canceled while no worker lives', async () => {
    const mid = await answering();
    await worker.kill9();
    const answer = await cancel(api.url, mid.taskId);
    expect(answer.status).toBe(204);
    const end = expectWholeStream(await mid.reader.untilEnd());
    expect(end).toMatchObject({
      event: 'end',
      data: { canceled: true },
      id: Number(answer.headers.get('x-last-event-id')),
    });
    worker = await all.start(['worker']);
    const next = await begun();
    answerAll(next.run);
    await next.reader.untilEnd();
    expect(engine.runsOf(mid.prompt)).toHaveLength(1);
  });

  it('writes not one more token when it comes back from a freeze and another has taken its task over', async () => {
    const early = await begun();
    worker.freeze();
    const second = await all.start(['worker']);
    await waitUntil('the other worker to begin the task again', () => engine.runsOf(early.prompt)[1]);
    const [stale, fresh] = engine.runsOf(early.prompt);
    if (stale === undefined || fresh === undefined) throw new Error('unreachable');
    fresh.tokens(2, (index) => ` fresh${index}`);
    await early.reader.untilTokens(2);
    stale.tokens(50, (index) => ` stale${index}`);
    worker.thaw();
    await stale.untilHungUp();
    fresh.tokens(1, (index) => ` fresh${index}`);
    fresh.end();
    expect(expectWholeStream(await early.reader.untilEnd()).event).toBe('end');
    expect(early.reader.tokens.map(({ data }) => data['t'])).toEqual([' fresh0', ' fresh1', ' fresh2']);
    await second.kill9();
  });

  it('writes nothing after a freeze in the middle of an answer either: another goes on with it meanwhile', async () => {
    const mid = await answering();
    worker.freeze();
    const second = await all.start(['worker']);
    const next = await engine.run(`${mid.prompt} t0 t1 t2`);
    next.tokens(1, () => ' fresh');
    await mid.reader.untilTokens(4);
    mid.run.tokens(50);
    worker.thaw();
    await mid.run.untilHungUp();
    next.tokens(1, () => ' end');
    next.end();
    expect(expectWholeStream(await mid.reader.untilEnd()).event).toBe('end');
    expect(mid.reader.tokens.map(({ data }) => data['t'])).toEqual([' t0', ' t1', ' t2', ' fresh', ' end']);
    await second.kill9();
  });

  it('is not one that stops by SIGTERM: running tasks finish, waiting ones stay for others', async () => {
    const mid = await answering();
    const early = await begun();
    const waiting = await submitted();
    const stopped = worker.stop();
    await waitUntil(
      'the worker to say goodbye',
      async () => (await all.redis?.zcount('{orchd}:workers:default', Date.now(), '+inf')) === 0,
    );
    mid.run.tokens(2);
    mid.run.end();
    answerAll(early.run);
    for (const { reader } of [mid, early]) expect(expectWholeStream(await reader.untilEnd()).event).toBe('end');
    expect(mid.reader.tokens).toHaveLength(5);
    expect(await stopped).toBe(0);
    for (const { taskId } of [mid, early]) expect((await all.row(taskId))?.['state']).toBe('completed');
    expect(engine.runsOf(waiting.prompt)).toEqual([]);
    engine.onRun = answerAll;
    worker = await all.start(['worker']);
    expect(expectWholeStream(await waiting.reader.untilEnd()).event).toBe('end');
  });

  it('that may not wait at SIGTERM leaves its tasks to others, who go on where it was', async () => {
    await worker.stop();
    const hasty = await all.start(['worker'], { config: { worker: { lock_ms: lockMs, shutdown_grace_ms: 0 } } });
    const mid = await answering();
    const early = await begun();
    expect(await hasty.stop()).toBe(0);
    expect(mid.run.isHungUp && early.run.isHungUp).toBe(true);
    engine.onRun = answerAll;
    worker = await all.start(['worker']);
    for (const { reader } of [mid, early]) expect(expectWholeStream(await reader.untilEnd()).event).toBe('end');
    expect(mid.reader.tokens).toHaveLength(5);
  });

  it('together with every other process at once loses nothing: each accepted task reaches its end after the restart', async () => {
    const tasks = [await answering(), await begun(), ...(await Promise.all([submitted(), submitted(), submitted()]))];
    await Promise.all([worker.kill9(), api.kill9()]);
    engine.onRun = answerAll;
    [api, worker] = await Promise.all([all.start(['api']), all.start(['worker'])]);
    const endings = await Promise.all(
      tasks.map(async ({ taskId, reader }) => {
        const resumed = await SseClient.read(api.url, taskId, { lastEventId: reader.lastId });
        await resumed.untilEnd();
        return expectWholeStream([...reader.events, ...resumed.events]).event;
      }),
    );
    expect(endings).toEqual(['end', 'end', 'end', 'end', 'end']);
  });

  it('between storing a task and queueing it is made good: the task runs all the same', async () => {
    const model = aTask();
    await submit(api.url, model);
    answerAll(await engine.run(model.prompt));
    await waitUntil('the row', async () => (await all.row(model.task_id))?.['state'] === 'completed');
    const orphan = aTask();
    await all.db.query(
      `INSERT INTO tasks (task_id, body_hash, correlation_id, state, workload, model_ref, engine, priority, pool_id, request, admission, placement, created_at)
       SELECT $1::uuid, 'x', 'orphan', 'queued', workload, model_ref, engine, priority, pool_id, $2::jsonb,
         admission || jsonb_build_object('task_id', $1::text), placement, now() - interval '10 seconds'
       FROM tasks WHERE task_id = $3`,
      [
        orphan.task_id,
        JSON.stringify({ ...orphan, priority: 'interactive', on_disconnect: 'continue' }),
        model.task_id,
      ],
    );
    const reader = await SseClient.read(api.url, orphan.task_id);
    const run = await engine.run(orphan.prompt);
    expect(run.correlationId).toBe('orphan');
    answerAll(run);
    expect(expectWholeStream(await reader.untilEnd()).event).toBe('end');
  });

  it('between taking a place in line and storing the task gives the place back', async () => {
    const leaked = aTask().task_id;
    const before = Date.now() - 60_000;
    await all.redis?.zadd('{orchd}:line:default:batch', 1, leaked);
    await all.redis?.hset('{orchd}:line:default:tokens', leaked, `10,${before}`);
    await all.redis?.hincrby('{orchd}:line:default:sums', 'batch', 10);
    const depth = async (): Promise<unknown> =>
      ((await call(`${api.url}/v2/pools/default`)).body as { queue: { depth: unknown } }).queue.depth;
    expect(await depth()).toEqual({ interactive: 0, batch: 1 });
    await expect.poll(depth, { timeout: 15_000 }).toEqual({ interactive: 0, batch: 0 });
    expect(await all.redis?.hget('{orchd}:line:default:sums', 'batch')).toBe('0');
  });

  it('holds no slot for longer than its lease', async () => {
    const [one, two] = [await answering(), await begun()];
    await cancel(api.url, one.taskId);
    await cancel(api.url, two.taskId);
    const free = async (): Promise<unknown> =>
      ((await call(`${api.url}/v2/pools/default`)).body as { slots: { free: number } }).slots.free;
    await expect.poll(free, { timeout: 15_000 }).toBe(slots);
  });
});
