import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient, type StreamEvent } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

describe('engines that misbehave', () => {
  let engines: [ScriptedEngine, ScriptedEngine];
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    engines = await Promise.all([ScriptedEngine.start({ slots: 2 }), ScriptedEngine.start({ slots: 2 })]);
    all = await Deployment.create({
      engines: engines.map(({ url }) => url),
      pool: {
        timeouts: { idle_ms: 1000, connect_ms: 1000, wall_ms: 60_000 },
        circuit: { failures: 1000 }, // circuits.spec.ts has those
      },
    });
    home = await all.start(['api', 'worker']);
  });

  afterEach(() => {
    for (const engine of engines) engine.onRun = () => undefined;
  });

  afterAll(async () => {
    await all.drop();
    await Promise.all(engines.map((engine) => engine.die()));
  });

  const runsOf = (prompt: string) => engines.flatMap((engine) => engine.runsOf(prompt));

  /** A task in the hands of an engine. */
  async function running() {
    const task = aTask();
    const reader = await SseClient.post(home.url, task);
    const run = await waitUntil('an engine to have the task', () => runsOf(task.prompt)[0]);
    return { task, reader, run };
  }

  async function pool(path = ''): Promise<Record<string, unknown>> {
    const answer = await call(`${home.url}/v2/pools/default${path}`);
    expectDocumented('GET', `/v2/pools/{id}${path}`, answer);
    return answer.body as Record<string, unknown>;
  }

  async function endOf(reader: SseClient): Promise<StreamEvent> {
    return expectWholeStream(await reader.untilEnd());
  }

  it('that refuse a task end it with their reason, and nobody else is asked', async () => {
    const { task, reader, run } = await running();
    run.refuse(400, 'the prompt is too long for this model');
    expect(await endOf(reader)).toMatchObject({
      event: 'error',
      data: {
        code: 'INVALID_PARAMS',
        retriable: false,
        message: expect.stringContaining('the prompt is too long') as string,
      },
    });
    expect(runsOf(task.prompt)).toHaveLength(1);
  });

  it.each([
    ['answer 500', (run: ScriptedRun) => run.refuse(500, 'out of memory')],
    ['hang up', (run: ScriptedRun) => run.cut()],
  ])('that %s before the first token leave the task to another replica', async (_, fail) => {
    const { task, reader, run } = await running();
    const [a, b] = engines;
    const [first, second] = a.runsOf(task.prompt).length > 0 ? [a, b] : [b, a];
    // Asked once more where it hung up on a kept connection: that may have been closed for its age.
    first.onRun = fail;
    fail(run);
    const next = await waitUntil('the other replica to have it', () => second.runsOf(task.prompt)[0]);
    next.tokens(2);
    next.end();
    expect((await endOf(reader)).event).toBe('end');
    expect(reader.tokens).toHaveLength(2);
    expect(second.runsOf(task.prompt)).toHaveLength(1);
    expect(first.runsOf(task.prompt).length).toBeLessThanOrEqual(2);
  });

  it('one and all end the task with REPLICA_EXHAUSTED, retriable', async () => {
    for (const engine of engines) engine.onRun = (run) => run.refuse(503, 'no');
    const reader = await SseClient.post(home.url, aTask());
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'REPLICA_EXHAUSTED', retriable: true } });
  });

  it('that fall silent after some tokens end the task once, retriable, with every token kept', async () => {
    const { task, reader, run } = await running();
    run.tokens(3);
    await reader.untilTokens(3);
    const code = 'DECODE_TIMEOUT';
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code, retriable: true } });
    expect(reader.tokens).toHaveLength(3);
    expect(runsOf(task.prompt)).toHaveLength(1);
    await waitUntil('the record', async () => (await all.row(task.task_id))?.['state'] === 'failed');
    expect((await call(`${home.url}/v2/tasks/${task.task_id}`)).body).toMatchObject({ error: { code }, tokens_out: 3 });
  });

  it('that fall silent before the first token are given up too, and their connection is closed', async () => {
    const { reader, run } = await running();
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'DECODE_TIMEOUT' } });
    await run.untilHungUp();
    expect(run.isHungUp).toBe(true);
  });

  it('that die are shown so, and take no tasks until they are back', async () => {
    expect(await pool()).toMatchObject({
      state: 'ready',
      ready: true,
      live: true,
      slots: { total: 4, free: 4 },
      last_error: null,
    });
    const [first, second] = engines;
    await first.die();
    await waitUntil('the pool to know', async () => (await pool())['slots'], 10_000);
    const replicas = async () =>
      ((await pool())['replicas'] as { ready: boolean; last_error: string | null }[]).map(({ ready }) => ready);
    await expect.poll(replicas, { timeout: 10_000 }).toEqual([false, true]);
    expect(await pool()).toMatchObject({ ready: true, slots: { total: 2 } });
    second.health = 'loading';
    await expect.poll(replicas, { timeout: 10_000 }).toEqual([false, false]);
    expect(await pool('/health')).toMatchObject({ ready: false, state: 'starting', metrics: { slots_total: 0 } });
    const refused = await call(`${home.url}/v2/tasks`, 'POST', aTask());
    expect(refused).toMatchObject({ status: 503, body: { code: 'POOL_UNREADY', retriable: true, pool_id: 'default' } });
    expectDocumented('POST', '/v2/tasks', refused);
    await first.comeBack();
    second.health = 'ok';
    await expect.poll(replicas, { timeout: 10_000 }).toEqual([true, true]);
    expect(await pool('/health')).toMatchObject({ ready: true, live: true, state: 'ready', last_error: null });
    const task = aTask();
    await submit(home.url, task);
    (await waitUntil('a run', () => runsOf(task.prompt)[0])).end();
    await waitUntil('its end', async () => (await all.row(task.task_id))?.['state'] === 'completed');
  });

  it('are listed, and a pool nobody configured is not found', async () => {
    const list = await call(`${home.url}/v2/pools`);
    expectDocumented('GET', '/v2/pools', list);
    expect(list.body).toMatchObject({ items: [{ id: 'default' }], next_cursor: null });
    for (const path of ['nowhere', 'nowhere/health']) {
      expect(await call(`${home.url}/v2/pools/${path}`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });
});
