import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit, type Answer } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

/** The engine says that every prompt has so many tokens. */
const promptTokens = 3;
/** Each of these prompts is counted at a token a byte, and four around it, until the engine has read it. */
const promptBytes = 6;
const maxTokens = 10;
const reservedPerTask = promptBytes + 4 + maxTokens;

const budget = 35 * reservedPerTask + 1;

describe('sessions', () => {
  let engine: ScriptedEngine;
  const deployments: Deployment[] = [];

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 8 });
  });

  afterEach(() => {
    engine.onRun = () => undefined;
  });

  afterAll(async () => {
    await Promise.all(deployments.map((all) => all.drop()));
    await engine.die();
  });

  /** Two api processes over one engine; the second of them also works. */
  async function deployment(sessions: object, pool: object = {}): Promise<{ all: Deployment; urls: [string, string] }> {
    const all = await Deployment.create({ engines: [engine.url], config: { sessions }, pool: { ...pool } });
    deployments.push(all);
    const [first, second] = await Promise.all([all.start(['api']), all.start(['api', 'worker'])]);
    return { all, urls: [first.url, second.url] };
  }

  const turnOf = (session_id: string, change: object = {}) => ({
    workload: 'completion',
    model_ref: 'default',
    session_id,
    prompt: randomUUID().slice(0, promptBytes),
    max_tokens: maxTokens,
    ...change,
  });

  const sessionOf = async (url: string, id: string): Promise<Record<string, number>> => {
    const answer = await call(`${url}/v2/sessions/${id}`);
    expectDocumented('GET', '/v2/sessions/{id}', answer);
    if (answer.status !== 200) throw new Error(`${answer.status}`);
    return answer.body as Record<string, number>;
  };

  const taskIdOf = ({ body }: Answer): string => (body as { task_id: string }).task_id;

  describe('with a budget of tokens', () => {
    let all: Deployment;
    let urls: [string, string];

    beforeAll(async () => {
      ({ all, urls } = await deployment({ max_turns: 200, budgets: { tokens: budget } }));
    });

    it('let a hundred tasks at once use what their budget allows and not one token more, over two processes', async () => {
      engine.onRun = (run) => {
        run.tokens(run.prompt.charCodeAt(0) % maxTokens);
        run.end();
      };
      const session = randomUUID();
      const task = (place: number): object =>
        // Ids of the client go through the queue, the others straight to the engine where it is free.
        turnOf(session, place % 3 === 0 ? { task_id: randomUUID() } : {});
      let least = budget;
      let isOver = false;
      const watching = waitUntil('all to be submitted', async () => {
        const spent = await all.db.query<{ spent: number }>(
          'SELECT COALESCE(sum(tokens_in + tokens_out), 0)::int AS spent FROM tasks WHERE session_id = $1',
          [session],
        );
        const { status, body } = await call(`${urls[0]}/v2/sessions/${session}`);
        const left = status === 200 ? (body as { tokens_budget_remaining: number }).tokens_budget_remaining : budget;
        least = Math.min(least, left);
        expect(left).toBeLessThanOrEqual(budget - (spent.rows[0]?.spent ?? 0));
        return isOver;
      });
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, place) => call(`${urls[place % 2]}/v2/tasks`, 'POST', task(place))),
      );
      isOver = true;
      await watching;
      expect(least).toBeGreaterThanOrEqual(0);
      const accepted = answers.filter(({ status }) => status === 202);
      const refused = answers.filter(({ status }) => status !== 202);
      // Those that ended meanwhile have given back what they did not need.
      expect(accepted.length).toBeGreaterThanOrEqual(35);
      for (const answer of refused) {
        expectDocumented('POST', '/v2/tasks', answer);
        expect(answer).toMatchObject({ status: 429, body: { code: 'BUDGET_EXHAUSTED', retriable: false } });
      }
      for (const { headers } of accepted) {
        const left = Number(headers.get('x-budget-tokens-remaining'));
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThanOrEqual(budget - reservedPerTask);
      }
      for (const answer of accepted) await all.untilState(taskIdOf(answer), 'completed');
      const used = await all.db.query<{ used: number }>(
        'SELECT sum(tokens_in + tokens_out)::int AS used FROM tasks WHERE session_id = $1',
        [session],
      );
      expect(used.rows[0]?.used).toBeLessThanOrEqual(budget);
      await waitUntil('all to be settled', async () => {
        const { tokens_budget_remaining: left, turns } = await sessionOf(urls[1], session);
        expect(turns).toBe(accepted.length);
        return left === budget - (used.rows[0]?.used ?? 0);
      });
    });

    it('reserve while a task is open, and settle what it has used however it ends', async () => {
      const [url] = urls;
      const session = randomUUID();
      let spent = 0;
      const left = async (): Promise<number> => (await sessionOf(url, session))['tokens_budget_remaining'] ?? -1;
      const settled = async (used: number): Promise<void> => {
        spent += used;
        await waitUntil(`${spent} to be spent`, async () => (await left()) === budget - spent);
      };
      const begun = async (change = {}) => {
        const task = turnOf(session, change);
        const reader = await SseClient.post(url, task);
        const remaining = Number(reader.response.headers['x-budget-tokens-remaining']);
        expect(remaining).toBe(budget - spent - reservedPerTask);
        expect(await left()).toBe(remaining);
        return { reader, run: await engine.run(task.prompt) };
      };

      const whole = await begun();
      whole.run.tokens(4);
      whole.run.end();
      await whole.reader.untilEnd();
      await settled(promptTokens + 4);

      const canceled = await begun();
      canceled.run.tokens(2);
      await canceled.reader.untilTokens(2);
      await cancel(urls[1], String(canceled.reader.events[0]?.data['task_id']));
      await settled(promptTokens + 2);

      // Bound to a grammar, an answer that was broken off can't go on.
      const broken = await begun({ sampling: { grammar: 'root ::= "x"*' } });
      broken.run.tokens(5);
      await broken.reader.untilTokens(5);
      broken.run.breakInside(500, 'out of memory');
      expect(expectWholeStream(await broken.reader.untilEnd()).event).toBe('error');
      await settled(promptTokens + 5);

      const lost = await begun();
      lost.run.refuse(400, 'a prompt like that');
      await lost.reader.untilEnd();
      await settled(0);

      expect(await sessionOf(url, session)).toMatchObject({ turns: 4, last_replica: 'default/r0' });
    });
  });

  describe('of few turns and a short time', () => {
    let all: Deployment;
    let urls: [string, string];

    beforeAll(async () => {
      const sessions = { max_turns: 2, ttl_ms: 300, budgets: { tokens: 100 } };
      ({ all, urls } = await deployment(sessions, { slots: 1, queue: { capacity: 2 } }));
    });

    it('take nothing for a repeat, nor for a task that is refused further on', async () => {
      const session = randomUUID();
      const prompt = randomUUID().slice(0, promptBytes);
      const task = { ...turnOf(session, { prompt }), task_id: randomUUID() };
      const first = await Promise.all([0, 1, 0, 1].map((place) => submit(urls[place] ?? '', task)));
      const run = await engine.run(prompt);
      expect(first.map(({ body }) => body)).toEqual(first.map(() => first[0]?.body));
      const others = [await submit(urls[0], aTask()), await submit(urls[0], aTask())];
      const refused = await call(`${urls[0]}/v2/tasks`, 'POST', turnOf(session));
      expect(refused).toMatchObject({ status: 429, body: { code: 'ADMISSION_REJECT' } });
      const again = await submit(urls[1], task);
      expect(again.headers.get('x-budget-tokens-remaining')).toBe(String(100 - reservedPerTask));
      expect(await sessionOf(urls[0], session)).toMatchObject({
        turns: 1,
        tokens_budget_remaining: 100 - reservedPerTask,
      });
      run.end();
      for (const other of others) await cancel(urls[0], taskIdOf(other));
    });

    it('refuse the turn too many, and say so', async () => {
      const session = randomUUID();
      const open = [await submit(urls[0], turnOf(session)), await submit(urls[1], turnOf(session))];
      const answer = await call(`${urls[0]}/v2/tasks`, 'POST', turnOf(session));
      expect(answer).toMatchObject({
        status: 400,
        body: {
          code: 'INVALID_PARAMS',
          details: [{ field: 'session_id', problem: expect.stringContaining('2 turns') }],
        },
      });
      for (const answered of open) await cancel(urls[0], taskIdOf(answered));
    });

    it('are unknown before their first task, after they were deleted, and when their time is over', async () => {
      const session = randomUUID();
      const read = async (): Promise<number> => (await call(`${urls[1]}/v2/sessions/${session}`)).status;
      const remove = async (): Promise<number> => (await call(`${urls[0]}/v2/sessions/${session}`, 'DELETE')).status;
      expect([await read(), await remove()]).toEqual([404, 204]);
      const first = await submit(urls[0], turnOf(session));
      expect(await read()).toBe(200);
      expect([await remove(), await read()]).toEqual([204, 404]);
      engine.onRun = (run) => run.end();
      await cancel(urls[0], taskIdOf(first));
      await submit(urls[0], turnOf(session));
      await waitUntil('it to be forgotten', async () => (await read()) === 404);
      expect((await call(`${urls[0]}/v2/sessions/me`)).status).toBe(400);
      const fresh = await submit(urls[0], turnOf(session));
      expect(fresh.headers.get('x-budget-tokens-remaining')).toBe(String(100 - reservedPerTask));
    });

    it('are no matter for tasks without one', async () => {
      engine.onRun = (run) => run.end();
      const before = new Set(await all.redis?.keys('*session*'));
      for (const url of urls) expect((await submit(url, aTask())).headers.get('x-budget-tokens-remaining')).toBeNull();
      expect((await all.redis?.keys('*session*'))?.filter((key) => !before.has(key))).toEqual([]);
    });
  });

  it('count time and cost, and stop a task that has used up the time', async () => {
    const { all, urls } = await deployment(
      { budgets: { time_ms: 400, cost: 1 } },
      { price: { per_1k_tokens_in: 1, per_1k_tokens_out: 10 } },
    );
    const session = randomUUID();
    const task = turnOf(session);
    const reader = await SseClient.post(urls[0], task);
    expect(reader.response.headers['x-budget-time-remaining-ms']).toBe('0');
    const reservedCost = (promptBytes + 4) * 0.001 + maxTokens * 0.01;
    expect(Number(reader.response.headers['x-budget-cost-remaining'])).toBeCloseTo(1 - reservedCost, 9);
    const run = await engine.run(task.prompt);
    const other = await call(`${urls[1]}/v2/tasks`, 'POST', turnOf(session));
    expect(other).toMatchObject({ status: 429, body: { code: 'BUDGET_EXHAUSTED', retriable: false } });
    run.tokens(2);
    const end = expectWholeStream(await reader.untilEnd());
    expect(end).toMatchObject({ event: 'error', data: { code: 'BUDGET_EXHAUSTED', retriable: false } });
    await run.untilHungUp();
    const taskId = String(reader.events[0]?.data['task_id']);
    await all.untilState(taskId, 'failed');
    await waitUntil('it to be settled', async () => {
      const view = await sessionOf(urls[1], session);
      return Math.abs((view['cost_budget_remaining'] ?? 0) - (1 - 0.003 - 0.02)) < 1e-9;
    });
    // The run's watchdog and its record begin a few milliseconds apart.
    expect((await sessionOf(urls[0], session))['time_budget_remaining_ms']).toBeLessThan(40);
  });
});
