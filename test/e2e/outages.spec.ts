import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

function answer(run: ScriptedRun): void {
  run.tokens(2);
  run.end();
}

describe.each([
  ['one process', [['api', 'worker']]],
  ['an api and two workers', [['api'], ['worker'], ['worker']]],
] as const)('an outage of the only engine, %s', (_, roles) => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let api: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 1 });
    const [first, ...others] = roles;
    all = await Deployment.create({
      engines: [engine.url],
      pool: {
        // Rarely enough for workers to meet the engine's absence before they hear of it.
        health: { interval_ms: 1500, timeout_ms: 5000 },
        retries: { base_ms: 1 },
        circuit: { failures: 1000 }, // circuits.spec.ts has those
      },
      config: { worker: { max_continuations: 1 } },
    });
    const [home] = await Promise.all([all.start([...first]), ...others.map((some) => all.start([...some]))]);
    api = home;
  });

  beforeEach(() => waitUntil('the pool to be ready', async () => (await pool())['ready']));

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  async function pool(): Promise<Record<string, unknown>> {
    return (await call(`${api.url}/v2/pools/default`)).body as Record<string, unknown>;
  }

  async function read(taskId: string): Promise<Record<string, unknown>> {
    return (await call(`${api.url}/v2/tasks/${taskId}`)).body as Record<string, unknown>;
  }

  async function untilBackInLine(taskId: string): Promise<void> {
    await waitUntil('it to wait once more', async () => {
      const row = await all.row(taskId);
      return row?.['state'] === 'queued' && row['attempts'] === 1;
    });
  }

  it('costs no task that had no token: all wait in their order, and go on when it is back', async () => {
    const [begun, next, last, dropped] = [aTask(), aTask(), aTask({ priority: 'batch' }), aTask()];
    const tasks = [begun, next, last];
    const readers = [await SseClient.post(api.url, begun)];
    await engine.run(begun.prompt);
    for (const task of [next, last]) readers.push(await SseClient.post(api.url, task));
    await submit(api.url, dropped);
    await engine.die();
    await waitUntil('all to wait', async () => {
      const found = await Promise.all([begun, next, last].map(({ task_id }) => read(task_id)));
      expect(found.map((task) => [task['state'], task['queue_position']])).toEqual([
        ['queued', 0],
        ['queued', 1],
        ['queued', 3],
      ]);
      return true;
    });
    const canceled = await cancel(api.url, dropped.task_id);
    expect(canceled.status).toBe(204);
    expect(await all.untilState(dropped.task_id, 'canceled')).toMatchObject({ decode_time_ms: 0 });
    await engine.comeBack();
    engine.onRun = answer;
    for (const reader of readers) {
      expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end' });
      expect(reader.tokens).toHaveLength(2);
    }
    engine.onRun = () => undefined;
    const order = engine.runs.map(({ prompt }) => prompt);
    expect(order).toEqual([begun, begun, next, last].map(({ prompt }) => prompt));
    for (const { task_id } of tasks) await all.untilState(task_id, 'completed');
  });

  it.runIf(roles.length === 1)('has rows follow whose worker died just when it put their tasks back', async () => {
    const task = aTask();
    const reader = await SseClient.post(api.url, task);
    await engine.run(task.prompt);
    await engine.die();
    await untilBackInLine(task.task_id);
    await all.db.query(`UPDATE tasks SET state = 'running' WHERE task_id = $1`, [task.task_id]);
    await untilBackInLine(task.task_id);
    await engine.comeBack();
    answer(await waitUntil('it to run once more', () => engine.runsOf(task.prompt)[1]));
    expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end' });
  });

  it('costs none either that comes to an engine which is still loading', async () => {
    const task = aTask();
    engine.onRun = (run) => {
      engine.health = 'loading';
      run.refuse(503, 'Loading model');
    };
    const reader = await SseClient.post(api.url, task);
    await untilBackInLine(task.task_id);
    engine.onRun = answer;
    engine.health = 'ok';
    expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end' });
    engine.onRun = () => undefined;
  });

  it('is not brought about again and again by the same task', async () => {
    const [killer, victim] = [aTask(), aTask()];
    const reader = await SseClient.post(api.url, killer);
    await engine.run(killer.prompt);
    await submit(api.url, victim);
    engine.onRun = (run) => {
      if (run.prompt === killer.prompt) void engine.die();
    };
    await engine.die();
    await untilBackInLine(killer.task_id);
    await engine.comeBack();
    expect(expectWholeStream(await reader.untilEnd())).toMatchObject({
      event: 'error',
      data: { code: 'REPLICA_EXHAUSTED', retriable: true },
    });
    await engine.comeBack();
    answer(await engine.run(victim.prompt));
    await all.untilState(victim.task_id, 'completed');
    expect(engine.runsOf(killer.prompt)).toHaveLength(2);
    engine.onRun = () => undefined;
  });
});

describe('an outage of some or all engines of a pool', () => {
  let engines: [ScriptedEngine, ScriptedEngine];
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    engines = await Promise.all([ScriptedEngine.start({ slots: 1 }), ScriptedEngine.start({ slots: 1 })]);
    all = await Deployment.create({
      engines: [],
      pool: {
        replicas: engines.map(({ url }, at) => ({ id: `r${at}`, url, device_mask: String(at) })),
        health: { interval_ms: 1500, timeout_ms: 5000 },
        timeouts: { idle_ms: 2000 },
        retries: { base_ms: 1 },
        circuit: { failures: 1000 },
      },
    });
    home = await all.start(['api', 'worker']);
  });

  beforeEach(() => waitUntil('both to be ready', async () => (await slots()) === 2));

  afterEach(() => {
    for (const engine of engines) engine.onRun = () => undefined;
  });

  afterAll(async () => {
    await all.drop();
    for (const engine of engines) await engine.die();
  });

  async function slots(): Promise<number> {
    const { body } = await call(`${home.url}/v2/pools/default`);
    return (body as { slots: { total: number } }).slots.total;
  }

  const untilQueued = (taskId: string) =>
    waitUntil('it to wait once more', async () => {
      const row = await all.row(taskId);
      return row?.['state'] === 'queued' && Number(row['attempts']) > 0;
    });

  const onMask = (mask: string) =>
    aTask({ placement: { mode: 'prefer', prefer_pools: ['default'], require_device_mask: mask } });

  it('costs no task that must have the device of the one that is gone', async () => {
    const [first, other] = engines;
    const tasks = [onMask('0'), onMask('0'), onMask('0')];
    const readers = [];
    for (const task of tasks) readers.push(await SseClient.post(home.url, task));
    await first.run(tasks[0]?.prompt ?? '');
    await first.die();
    await untilQueued(tasks[0]?.task_id ?? '');
    // The other takes what it may take meanwhile.
    const free = aTask();
    await submit(home.url, free);
    answer(await other.run(free.prompt));
    await all.untilState(free.task_id, 'completed');
    await first.comeBack();
    first.onRun = answer;
    for (const reader of readers) expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end' });
    expect(other.runs.map(({ prompt }) => prompt)).toEqual([free.prompt]);
  });

  it('costs none where all go at once, however long it takes', async () => {
    const tasks = [aTask(), aTask(), aTask()];
    const readers = [];
    for (const task of tasks) readers.push(await SseClient.post(home.url, task));
    const begun = () => tasks.filter(({ prompt }) => engines.some((engine) => engine.runsOf(prompt).length > 0));
    await waitUntil('two to run', () => begun().length === 2);
    await Promise.all(engines.map((engine) => engine.die()));
    for (const { task_id } of tasks.slice(0, 2)) await untilQueued(task_id);
    await waitUntil(
      'the last to wait, too',
      async () => (await all.row(tasks[2]?.task_id ?? ''))?.['state'] === 'queued',
    );
    for (const engine of engines) engine.onRun = answer;
    await engines[0].comeBack();
    for (const reader of readers) expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end' });
    await engines[1].comeBack();
  });
});
