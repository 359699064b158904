import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectGrowingIds, expectWholeStream, SseClient } from '../support/sse-client.js';
import { type PrivateServer, startPrivatePostgres, startPrivateRedis } from '../support/stores.js';
import { waitUntil } from '../support/wait-until.js';

const answerAll = (run: ScriptedRun): void => {
  run.tokens(2);
  run.end();
};

describe('a store that goes away', () => {
  let engine: ScriptedEngine;
  let redis: PrivateServer;
  let postgres: PrivateServer;
  let all: Deployment;
  let api: RunningOrchestrator;
  let worker: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 1 });
    [redis, postgres] = await Promise.all([startPrivateRedis(), startPrivatePostgres()]);
    all = await Deployment.create({
      engines: [engine.url],
      config: { worker: { lock_ms: 2000 } },
      stores: { databaseUrl: postgres.url, redisUrl: redis.url },
    });
    // One after the other: the first brings the new database up to date.
    api = await all.start(['api']);
    worker = await all.start(['worker']);
  });

  afterEach(() => {
    redis.resume();
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
    await Promise.all([redis.drop(), postgres.drop()]);
  });

  const post = (): ReturnType<typeof call> => call(`${api.url}/v2/tasks`, 'POST', aTask());

  async function expectRefusedFor(store: string): Promise<number> {
    const answer = await post();
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE', retriable: true } });
    expect((answer.body as { correlation_id: string }).correlation_id).toBe(answer.headers.get('x-correlation-id'));
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const { url } of [api, worker]) {
      const readiness = await call(`${url}/readyz`);
      expect(readiness.status).toBe(503);
      expect(JSON.stringify(readiness.body)).toContain(store);
      expect((await call(`${url}/healthz`)).status).toBe(200);
    }
    return answer.status;
  }

  async function expectHealed(): Promise<void> {
    await waitUntil('all to be ready again', async () => {
      const answers = await Promise.all([api, worker].map(({ url }) => call(`${url}/readyz`)));
      return answers.every(({ status }) => status === 200);
    });
    const task = aTask();
    const reader = await SseClient.post(api.url, task);
    answerAll(await engine.run(task.prompt));
    expect(expectWholeStream(await reader.untilEnd()).event).toBe('end');
  }

  /** A task in the middle of its answer, and two that wait behind it; all with readers. */
  async function threeTasks() {
    const tasks = [aTask(), aTask(), aTask()];
    const readers: SseClient[] = [];
    for (const task of tasks) readers.push(await SseClient.post(api.url, task));
    const [first, ...waiting] = tasks.map((task, place) => ({ ...task, reader: readers[place] as SseClient }));
    if (first === undefined) throw new Error('unreachable');
    const run = await engine.run(first.prompt);
    run.tokens(3);
    await first.reader.untilTokens(3);
    return { first, run, waiting };
  }

  it('Redis: comes back empty, waiting tasks run, the begun one ends once, and nobody who kept reading is left without an end', async () => {
    const { first, run, waiting } = await threeTasks();
    await redis.kill9();
    run.tokens(4);
    await redis.restart({ empty: true });
    const reset = await first.reader.until('error');
    await first.reader.untilEnd();
    expect(reset.data).toMatchObject({ code: 'WORKER_RESET', retriable: true });
    expectWholeStream(first.reader.events);
    await run.untilHungUp();
    for (const task of waiting) {
      answerAll(await engine.run(task.prompt));
      expect(expectWholeStream(await task.reader.untilEnd()).event).toBe('end');
    }
    const late = await SseClient.read(api.url, first.task_id, { lastEventId: first.reader.events.at(-2)?.id ?? 0 });
    await late.untilEnd();
    expect(late.events).toEqual([reset]);
    await waitUntil('the rows', async () => {
      const rows = await all.db.query<{ state: string }>('SELECT state FROM tasks');
      return rows.rows.every(({ state }) => state === 'completed' || state === 'failed');
    });
    await expectHealed();
  });

  it('Redis: comes back with its data after a kill, and every token is there', async () => {
    const { first, run, waiting } = await threeTasks();
    await redis.kill9();
    await waitUntil('the refusal', async () => (await post()).status === 503);
    await expectRefusedFor('redis');
    run.tokens(5);
    await redis.restart();
    run.tokens(1);
    run.end();
    const end = expectWholeStream(await first.reader.untilEnd());
    expectGrowingIds(first.reader.events);
    // AOF is written every second: what Redis had not kept ends the task with a reset, what it had goes on to the end.
    const ending = end.event === 'end' ? first.reader.tokens.length : [end.data['code'], end.data['retriable']];
    expect([9, ['WORKER_RESET', true]]).toContainEqual(ending);
    for (const task of waiting) {
      answerAll(await engine.run(task.prompt));
      expectWholeStream(await task.reader.untilEnd());
    }
    await expectHealed();
  });

  it('Redis: does not answer for a while, requests are refused meanwhile, and all heals', async () => {
    const { first, run, waiting } = await threeTasks();
    redis.pause();
    await expectRefusedFor('redis');
    run.tokens(5);
    redis.resume();
    run.tokens(1);
    run.end();
    expect(expectWholeStream(await first.reader.untilEnd()).event).toBe('end');
    expect(first.reader.tokens).toHaveLength(9);
    for (const task of waiting) {
      answerAll(await engine.run(task.prompt));
      expect(expectWholeStream(await task.reader.untilEnd()).event).toBe('end');
    }
    await expectHealed();
  });

  it('Postgres: running tasks stream on and end, new ones are refused, and the records follow when it is back', async () => {
    const { first, run, waiting } = await threeTasks();
    await postgres.kill9();
    await waitUntil('the refusal', async () => (await post()).status === 503);
    await expectRefusedFor('postgres');
    run.tokens(5);
    await first.reader.untilTokens(8);
    run.end();
    expect(expectWholeStream(await first.reader.untilEnd()).event).toBe('end');
    await postgres.restart();
    for (const task of waiting) {
      answerAll(await engine.run(task.prompt));
      expect(expectWholeStream(await task.reader.untilEnd()).event).toBe('end');
      expect(engine.runsOf(task.prompt)).toHaveLength(1);
    }
    for (const { task_id } of [first, ...waiting]) {
      await waitUntil('the record', async () => (await all.row(task_id))?.['state'] === 'completed');
    }
    await expectHealed();
  });
});
