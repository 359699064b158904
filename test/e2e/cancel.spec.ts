import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const slots = 2;

describe('canceling a task', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  /** Two processes clients talk to, and the one that runs everything. */
  let apis: [RunningOrchestrator, RunningOrchestrator];
  let worker: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots });
    all = await Deployment.create({ engines: [engine.url] });
    apis = await Promise.all([all.start(['api']), all.start(['api'])]);
    worker = await all.start(['worker']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  function receiptOf({ status, headers }: { status: number; headers: Headers }): number {
    expect(status).toBe(204);
    expect(headers.get('x-correlation-id')).toBeTruthy();
    return Number(headers.get('x-last-event-id'));
  }

  /** What every reader must see of a canceled task, and what its record must say. */
  async function expectCanceled(taskId: string, receipt: number, readers: readonly SseClient[]): Promise<void> {
    expect((await all.row(taskId))?.['state']).toBe('canceled');
    const late = await Promise.all(apis.map(({ url }) => SseClient.read(url, taskId)));
    for (const reader of [...readers, ...late]) {
      const events = await reader.untilEnd();
      expect(events.at(-1)).toMatchObject({
        id: receipt,
        event: 'end',
        data: { finish_reason: 'canceled', canceled: true },
      });
      expect(reader.tokens.filter(({ id }) => id >= receipt)).toEqual([]);
    }
    expectWholeStream(late[0]?.events ?? []);
    expect(late[1]?.frames).toBe(late[0]?.frames);
    const task = await call(`${apis[0].url}/v2/tasks/${taskId}`);
    expect(task.body).toMatchObject({
      state: 'canceled',
      finish_reason: 'canceled',
      tokens_out: late[0]?.tokens.length,
    });
    expect((await all.row(taskId))?.['request']).toBeNull();
  }

  it('stops the engine, wherever it runs, and answers 204 with a receipt above every token', async () => {
    const task = aTask();
    await submit(apis[0].url, task);
    const readers = await Promise.all(apis.map(({ url }) => SseClient.read(url, task.task_id)));
    const run = await engine.run(task.prompt);
    run.tokens(3);
    await Promise.all(readers.map((reader) => reader.untilTokens(3)));
    const receipt = receiptOf(await cancel(apis[1].url, task.task_id));
    await run.untilHungUp();
    expect(run.isHungUp).toBe(true);
    await expectCanceled(task.task_id, receipt, readers);
    expect(receiptOf(await cancel(apis[0].url, task.task_id))).toBe(receipt);
  });

  it('counts a cancel under the pool and replica it stopped', async () => {
    const task = aTask();
    await submit(apis[0].url, task);
    const run = await engine.run(task.prompt);
    await all.untilState(task.task_id, 'running');
    await cancel(apis[0].url, task.task_id);
    await run.untilHungUp();
    const { body } = await call(`${apis[0].url}/v2/tasks/${task.task_id}`);
    const { pool_id, replica_id } = body as { pool_id: string; replica_id: string };
    const counted = await (await fetch(`${apis[0].url}/metrics`)).text();
    const line = counted.split('\n').find((text) => text.startsWith('tasks_canceled_total{'));
    for (const label of ['engine="llamacpp"', `pool_id="${pool_id}"`, `replica_id="${replica_id}"`, 'reason="client"'])
      expect(line).toContain(label);
  });

  it('takes a waiting task out of the line, and no engine ever hears of it', async () => {
    const busy = Array.from({ length: slots }, () => aTask());
    for (const task of busy) await submit(apis[0].url, task);
    const runs = await Promise.all(busy.map(({ prompt }) => engine.run(prompt)));
    const [waiting, behind] = [aTask(), aTask()];
    await submit(apis[0].url, waiting);
    expect((await submit(apis[0].url, behind)).body).toMatchObject({ queue_position: 1 });
    const reader = await SseClient.read(apis[1].url, waiting.task_id);
    const receipt = receiptOf(await cancel(apis[1].url, waiting.task_id));
    await expectCanceled(waiting.task_id, receipt, [reader]);
    expect((await call(`${apis[0].url}/v2/tasks/${behind.task_id}`)).body).toMatchObject({ queue_position: 0 });
    for (const run of runs) run.end();
    (await engine.run(behind.prompt)).end();
    await waitUntil('the other to end', async () => (await all.row(behind.task_id))?.['state'] === 'completed');
    expect(engine.runsOf(waiting.prompt)).toEqual([]);
  });

  it('changes nothing when the task has finished, and tells its last event', async () => {
    const task = aTask();
    const reader = await SseClient.post(apis[0].url, task);
    const run = await engine.run(task.prompt);
    run.tokens(2);
    run.end();
    await reader.untilEnd();
    expect(receiptOf(await cancel(apis[1].url, task.task_id))).toBe(reader.lastId);
    expect((await call(`${apis[1].url}/v2/tasks/${task.task_id}`)).body).toMatchObject({
      state: 'completed',
      finish_reason: 'stop',
    });
    await all.redis?.del(...((await all.redis?.keys(`*${task.task_id}*`)) ?? []));
    expect(receiptOf(await cancel(apis[0].url, task.task_id))).toBe(reader.lastId);
  });

  it('of a task nobody knows is 404, and of something that is no id 400', async () => {
    expect(await cancel(apis[0].url, aTask().task_id)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await cancel(apis[0].url, 'mine')).toMatchObject({ status: 400, body: { details: [{ field: 'path.id' }] } });
  });

  it('holds also against tokens that had reached the worker but not the log', async () => {
    const task = aTask();
    await submit(apis[0].url, task);
    const reader = await SseClient.read(apis[0].url, task.task_id);
    const run = await engine.run(task.prompt);
    run.tokens(1);
    await reader.untilTokens(1);
    worker.freeze();
    run.tokens(500);
    const receipt = receiptOf(await cancel(apis[1].url, task.task_id));
    worker.thaw();
    await run.untilHungUp();
    await expectCanceled(task.task_id, receipt, [reader]);
    expect(reader.tokens).toHaveLength(1);
  });

  describe('with Prefer: return=representation', () => {
    const asked = { prefer: 'return=representation' };
    const cancelWithReceipt = (url: string, taskId: string) =>
      call(`${url}/v2/tasks/${taskId}/cancel`, 'POST', undefined, asked);

    it('says that the engine has stopped once its connection is closed', async () => {
      const task = aTask();
      await submit(apis[0].url, task);
      const reader = await SseClient.read(apis[0].url, task.task_id);
      const run = await engine.run(task.prompt);
      run.tokens(3);
      await reader.untilTokens(3);
      const { status, headers, body } = await cancelWithReceipt(apis[1].url, task.task_id);
      expect(status).toBe(200);
      expect(headers.get('preference-applied')).toBe('return=representation');
      const receipt = Number(headers.get('x-last-event-id'));
      expect(body).toEqual({ last_event_id: receipt, tokens_out: 3, engine_stopped: true });
      expect((await reader.untilEnd()).at(-1)?.id).toBe(receipt);
      await run.untilHungUp();
      expect((await cancelWithReceipt(apis[0].url, task.task_id)).body).toEqual(body);
    });

    it('does not say so while the worker does not answer, and does when it has', async () => {
      const task = aTask();
      await submit(apis[0].url, task);
      const run = await engine.run(task.prompt);
      worker.freeze();
      try {
        expect((await cancelWithReceipt(apis[0].url, task.task_id)).body).toMatchObject({ engine_stopped: false });
        expect(run.isHungUp).toBe(false);
      } finally {
        worker.thaw();
      }
      await run.untilHungUp();
      const again = async (): Promise<unknown> => (await cancelWithReceipt(apis[0].url, task.task_id)).body;
      await expect.poll(again).toMatchObject({ engine_stopped: true });
    });

    it('says so at once for a task that no engine has begun, and for one that has ended', async () => {
      const busy = Array.from({ length: slots }, () => aTask());
      for (const task of busy) await submit(apis[0].url, task);
      const runs = await Promise.all(busy.map(({ prompt }) => engine.run(prompt)));
      const waiting = aTask();
      await submit(apis[0].url, waiting);
      const canceled = await cancelWithReceipt(apis[1].url, waiting.task_id);
      expect(canceled.body).toEqual({ last_event_id: 2, tokens_out: 0, engine_stopped: true });
      for (const run of runs) {
        run.tokens(2);
        run.end();
      }
      const id = busy.map(({ task_id }) => task_id)[0] ?? '';
      await all.untilState(id, 'completed');
      const ended = await cancelWithReceipt(apis[1].url, id);
      expect(ended.body).toMatchObject({ tokens_out: 2, engine_stopped: true });
      await all.redis?.del(...((await all.redis.keys(`*${id}*`)) ?? []));
      expect((await cancelWithReceipt(apis[1].url, id)).body).toEqual(ended.body);
    });

    it('is 404 for a task nobody knows', async () => {
      expect(await cancelWithReceipt(apis[0].url, aTask().task_id)).toMatchObject({ status: 404 });
    });
  });

  it('frees the slot: as many tasks run afterwards as before', async () => {
    const tasks = Array.from({ length: slots }, () => aTask());
    for (const task of tasks) await submit(apis[0].url, task);
    const runs = await Promise.all(tasks.map(({ prompt }) => engine.run(prompt)));
    for (const run of runs) run.end();
    const free = async (): Promise<unknown> =>
      ((await call(`${apis[0].url}/v2/pools/default`)).body as { slots: { free: number } }).slots.free;
    await expect.poll(free, { timeout: 10_000 }).toBe(slots);
  });
});
