import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit, type Answer } from '../support/deployment.js';
import { expectDocumented, openApi } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const capacity = 50;

describe('submitting tasks', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  /** Everything in one process, and a second one to submit at. */
  let home: RunningOrchestrator;
  let other: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 1 });
    all = await Deployment.create({
      engines: [engine.url],
      config: { server: { body_limit_bytes: 100_000 } },
      pool: { queue: { capacity }, admission: { priorities: [{ name: 'batch', queue_capacity: 2 }] } },
    });
    home = await all.start(['api', 'worker', 'pool-manager']);
    other = await all.start(['api']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  const stateOf = async (taskId: string): Promise<unknown> => (await all.row(taskId))?.['state'];

  /** Takes the only slot until the returned run is ended. */
  async function occupySlot(): Promise<{ taskId: string; run: ScriptedRun }> {
    const task = aTask();
    await submit(home.url, task);
    const run = await engine.run(task.prompt);
    await waitUntil('the task to leave the line', async () => (await depth()).interactive === 0);
    return { taskId: task.task_id, run };
  }

  async function depth(): Promise<{ interactive: number; batch: number }> {
    const { body } = await call(`${home.url}/v2/pools/default`);
    return (body as { queue: { depth: { interactive: number; batch: number } } }).queue.depth;
  }

  async function done(taskId: string, run: ScriptedRun): Promise<void> {
    run.tokens(1);
    run.end();
    await waitUntil('the task to complete', async () => (await stateOf(taskId)) === 'completed');
  }

  it('accepts exactly as many as may wait, however many ask at once at however many processes', async () => {
    const busy = await occupySlot();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => call(`${(n % 2 === 0 ? home : other).url}/v2/tasks`, 'POST', aTask())),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    const refused = answers.filter(({ status }) => status === 429);
    expect([accepted.length, refused.length]).toEqual([capacity, 200 - capacity]);
    const positions = accepted.map(({ body }) => (body as { queue_position: number }).queue_position);
    expect(positions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: capacity }, (_, n) => n));
    for (const answer of refused) {
      expect(answer.body).toMatchObject({
        code: 'ADMISSION_REJECT',
        retriable: true,
        policy_label: 'reject',
        pool_id: 'default',
      });
      const { retry_after_ms } = answer.body as { retry_after_ms: number };
      expect(answer.headers.get('x-backoff-ms')).toBe(`${retry_after_ms}`);
      expect(answer.headers.get('retry-after')).toBe(`${Math.ceil(retry_after_ms / 1000)}`);
      expectDocumented('POST', '/v2/tasks', answer);
    }
    expect(await depth()).toEqual({ interactive: capacity, batch: 0 });
    await Promise.all(accepted.map(({ body }) => cancel(other.url, (body as { task_id: string }).task_id)));
    expect(await depth()).toEqual({ interactive: 0, batch: 0 });
    await done(busy.taskId, busy.run);
  });

  it('starts interactive tasks before batch, each class in order of arrival, and bounds a class by itself', async () => {
    const busy = await occupySlot();
    const order = ['batch', 'interactive', 'batch', 'interactive'].map((priority) => aTask({ priority }));
    const positions = [];
    for (const task of order) positions.push((await submit(other.url, task)).body as { queue_position: number });
    expect(positions.map(({ queue_position }) => queue_position)).toEqual([0, 0, 2, 1]);
    const third = await call(`${home.url}/v2/tasks`, 'POST', aTask({ priority: 'batch' }));
    expect(third).toMatchObject({ status: 429, body: { code: 'ADMISSION_REJECT' } });
    await done(busy.taskId, busy.run);
    const begun: string[] = [];
    for (let n = 0; n < order.length; n++) {
      const run = await waitUntil('the next run', () =>
        engine.runs.find(({ prompt }) => order.some((task) => task.prompt === prompt) && !begun.includes(prompt)),
      );
      begun.push(run.prompt);
      await done(order.find(({ prompt }) => prompt === run.prompt)?.task_id ?? '', run);
    }
    expect(begun).toEqual([1, 3, 0, 2].map((place) => order[place]?.prompt));
  });

  it('gives the same answer to the same request and runs it once; the id with another body is a conflict', async () => {
    const task = aTask({ seed: 1 });
    const first = await submit(home.url, task);
    const copies = await Promise.all(
      Array.from({ length: 20 }, (_, n) => call(`${(n % 2 === 0 ? home : other).url}/v2/tasks`, 'POST', task)),
    );
    const { task_id, prompt, ...rest } = task;
    copies.push(await call(`${home.url}/v2/tasks`, 'POST', { prompt, ...rest, task_id: task_id.toUpperCase() }));
    for (const copy of copies) expect([copy.status, copy.body]).toEqual([202, first.body]);
    const changed = await call(`${other.url}/v2/tasks`, 'POST', { ...task, seed: 2 });
    expect(changed).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', retriable: false, details: [{ field: 'task_id' }] },
    });
    await done(task_id, await engine.run(prompt));
    expect((await submit(other.url, task)).body).toEqual(first.body);
    expect(engine.runsOf(prompt)).toHaveLength(1);
  });

  it('runs a task once that many hand in at the same moment', async () => {
    const task = aTask();
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) => call(`${(n % 2 === 0 ? home : other).url}/v2/tasks`, 'POST', task)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    for (const { body } of answers) expect(body).toEqual(answers[0]?.body);
    await done(task.task_id, await engine.run(task.prompt));
    expect(await depth()).toEqual({ interactive: 0, batch: 0 });
    expect(engine.runsOf(task.prompt)).toHaveLength(1);
  });

  it('ends a task whose deadline passes in line with DEADLINE_UNMET, and one that is being decoded with DECODE_TIMEOUT', async () => {
    // Long enough for what was measured of the tests before: what is out of reach is refused at once.
    const decoding = aTask({ deadline_ms: 9000, expected_tokens: 1 });
    const reader = await SseClient.post(home.url, decoding);
    const run = await engine.run(decoding.prompt);
    const waiting = await SseClient.post(other.url, aTask({ deadline_ms: 6000, expected_tokens: 1 }));
    run.tokens(1);
    const unmet = expectWholeStream(await waiting.untilEnd());
    expect(unmet).toMatchObject({ event: 'error', data: { code: 'DEADLINE_UNMET', pool_id: 'default' } });
    const late = expectWholeStream(await reader.untilEnd());
    expect(late).toMatchObject({ event: 'error', data: { code: 'DECODE_TIMEOUT' } });
    await run.untilHungUp();
    const past = await call(`${home.url}/v2/tasks`, 'POST', aTask({ deadline_ms: 0 }));
    expect(past).toMatchObject({ status: 400, body: { code: 'DEADLINE_UNMET', details: [{ field: 'deadline_ms' }] } });
  });

  it('shows each task and lists them by filter, newest first, page by page', async () => {
    const session_id = randomUUID();
    const tasks = [
      aTask({ session_id }),
      aTask({ session_id, priority: 'batch' }),
      aTask({ session_id }),
      aTask({ session_id }),
    ];
    for (const task of tasks) {
      await submit(home.url, task);
      await done(task.task_id, await engine.run(task.prompt));
    }
    const page = async (query: string): Promise<{ ids: string[]; next: string | null; answer: Answer }> => {
      const answer = await call(`${other.url}/v2/tasks?session_id=${session_id}${query}`);
      expectDocumented('GET', '/v2/tasks', answer);
      const { items, next_cursor } = answer.body as { items: { task_id: string }[]; next_cursor: string | null };
      return { ids: items.map(({ task_id }) => task_id), next: next_cursor, answer };
    };
    const newest = tasks.map(({ task_id }) => task_id).toReversed();
    expect((await page('')).ids).toEqual(newest);
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { ids, next } = await page(`&limit=3${cursor}`);
      seen.push(...ids);
      if (next === null) break;
      cursor = `&cursor=${encodeURIComponent(next)}`;
    }
    expect(seen).toEqual(newest);
    expect((await page('&priority=batch')).ids).toEqual([tasks[1]?.task_id]);
    expect((await page('&state=completed&pool_id=default&model_ref=default')).ids).toEqual(newest);
    expect((await page('&state=failed')).ids).toEqual([]);
    expect((await page('&pool_id=elsewhere')).ids).toEqual([]);
    const created = ((await call(`${home.url}/v2/tasks/${newest[1]}`)).body as { created_ms: number }).created_ms;
    expect((await page(`&since=${created}`)).ids).toEqual(newest.slice(0, 2));
    expect((await page(`&since=${new Date(created).toISOString()}`)).ids).toEqual(newest.slice(0, 2));
    const one = await call(`${other.url}/v2/tasks/${newest[0]}`);
    expectDocumented('GET', '/v2/tasks/{id}', one);
    expect(one.body).toMatchObject({
      state: 'completed',
      session_id,
      attempts: 1,
      replica_id: 'r0',
      tokens_out: 1,
      queue_position: null,
      placement: { pool_id: 'default', candidates: [{ pool_id: 'default', feasible: true }] },
    });
    expect(await call(`${home.url}/v2/tasks/${randomUUID()}`)).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND' },
    });
  });

  const bad: [what: string, change: object | string, field: string | null][] = [
    ['no model', { model_ref: undefined }, 'model_ref'],
    ['an empty model', { model_ref: '' }, 'model_ref'],
    ['no prompt', { prompt: undefined }, 'prompt'],
    ['an empty prompt', { prompt: '' }, 'prompt'],
    ['no max_tokens', { max_tokens: undefined }, 'max_tokens'],
    ['max_tokens of zero', { max_tokens: 0 }, 'max_tokens'],
    ['max_tokens as text', { max_tokens: '10' }, 'max_tokens'],
    ['a broken max_tokens', { max_tokens: 1.5 }, 'max_tokens'],
    ['an unknown workload', { workload: 'dance' }, 'workload'],
    ['an unknown priority', { priority: 'urgent' }, 'priority'],
    ['an unknown field', { promt: 'x' }, 'promt'],
    ['a task_id that is no UUID', { task_id: '7' }, 'task_id'],
    ['a session_id that is no UUID', { session_id: 'me' }, 'session_id'],
    ['a negative seed', { seed: -1 }, 'seed'],
    ['top_p over one', { sampling: { top_p: 2 } }, 'sampling.top_p'],
    ['an unknown sampling field', { sampling: { heat: 1 } }, 'sampling.heat'],
    ['a grammar beside a schema', { sampling: { grammar: 'root ::= "a"', json_schema: {} } }, 'sampling.json_schema'],
    ['a pin without a pool', { placement: { mode: 'pin' } }, 'placement.pin_pool_id'],
    ['a pin on an unknown pool', { placement: { mode: 'pin', pin_pool_id: 'nowhere' } }, 'placement.pin_pool_id'],
    ['an unknown engine', { engine: 'abacus' }, 'engine'],
    ['more context than the model has', { ctx: 1_000_000 }, 'ctx'],
    ['more tokens than the model has', { max_tokens: 900_000 }, 'max_tokens'],
    ['a prompt with a NUL character', { prompt: 'a\u0000b' }, 'prompt'],
    ['half a character', { prompt: '\ud800' }, 'prompt'],
    ['a list', '[]', null],
    ['null', 'null', null],
    ['broken JSON', '{"workload": ', null],
    ['nothing', '', null],
    ['forbidden keys', '{"__proto__": {"a": 1}}', null],
  ];

  it.each(bad)('refuses %s with an envelope that names the field, and queues nothing', async (_, change, field) => {
    const count = async (): Promise<unknown> => (await all.db.query('SELECT count(*) FROM tasks')).rows[0];
    const before = await count();
    const answer = await call(
      `${home.url}/v2/tasks`,
      'POST',
      typeof change === 'string' ? change : aTask(change as Record<string, unknown>),
    );
    expect(answer.status).toBe(400);
    expectDocumented('POST', '/v2/tasks', answer);
    expect(answer.body).toMatchObject({
      code: 'INVALID_PARAMS',
      retriable: false,
      correlation_id: answer.headers.get('x-correlation-id'),
    });
    const { details } = answer.body as { details?: { field: string }[] };
    const named = details?.map((detail) => detail.field) ?? [];
    expect(named).toEqual(field === null ? named : [field]);
    expect(await count()).toEqual(before);
    expect(await depth()).toEqual({ interactive: 0, batch: 0 });
  });

  it('refuses a body that is no JSON by its type, one that is too large, and a model that no pool serves', async () => {
    const plain = await fetch(`${home.url}/v2/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'x',
    });
    expect(plain.status).toBe(415);
    const large = await call(`${home.url}/v2/tasks`, 'POST', aTask({ prompt: 'x'.repeat(120_000) }));
    expect(large).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } });
    const unknown = await call(`${home.url}/v2/tasks`, 'POST', aTask({ model_ref: 'hf:no/such' }));
    expect(unknown).toMatchObject({ status: 503, body: { code: 'POOL_UNAVAILABLE' } });
    for (const query of [
      'limit=0',
      'limit=501',
      'limit=x',
      'cursor=%00',
      'cursor=abc',
      'state=lost',
      'since=yesterday',
      'colour=red',
    ]) {
      const answer = await call(`${home.url}/v2/tasks?${query}`);
      expect({ query, ...answer }).toMatchObject({
        query,
        status: 400,
        body: { details: [{ field: `query.${query.split('=')[0]}` }] },
      });
    }
  });

  it('answers every route as documented, each with a correlation id', async () => {
    for (const path of ['/v2/pools', '/v2/meta/version', '/healthz', '/readyz', '/metrics']) {
      const answer = await call(home.url + path, 'GET', undefined, { 'x-correlation-id': 'given-by-me' });
      expectDocumented('GET', path, answer);
      expect([path, answer.headers.get('x-correlation-id')]).toEqual([path, 'given-by-me']);
    }
    for (const odd of ['x'.repeat(129), 'with space', '']) {
      const id = (await call(`${home.url}/v2/pools`, 'GET', undefined, { 'x-correlation-id': odd })).headers.get(
        'x-correlation-id',
      );
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    const nowhere = await call(`${home.url}/v1/replicasets`);
    expect(nowhere).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(nowhere.headers.get('x-correlation-id')).toBeTruthy();
  });

  it('asks for the token everywhere but at the probes', async () => {
    const config = { auth: { optional_on_loopback: false } };
    const guarded = await all.start(['api'], { config, env: { AUTH_TOKEN: 'a-secret-token' } });
    const documented = Object.entries(openApi.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path.replace('{id}', randomUUID())] as const),
    );
    const mounted = ['/docs', '/docs-json', '/queues', '/queues/api/queues', '/nowhere'].map(
      (path) => ['GET', path] as const,
    );
    for (const [method, path] of [...documented, ...mounted]) {
      const isOpen = path === '/healthz' || path === '/readyz';
      const without = await call(guarded.url + path, method);
      const said = [without.status === 401];
      const wrong = await call(guarded.url + path, method, undefined, { authorization: 'Bearer a-secret-tokem' });
      said.push(wrong.status === 401);
      const right = await call(guarded.url + path, method, undefined, { authorization: 'Bearer a-secret-token' });
      said.push(right.status === 401);
      expect([method, path, ...said]).toEqual([method, path, !isOpen, !isOpen, false]);
    }
    const missing = await call(`${guarded.url}/v2/pools`);
    expect(missing).toMatchObject({ status: 401, body: { code: 'MISSING_TOKEN' } });
    expect(missing.headers.get('www-authenticate')).toMatch(/^Bearer/);
    const wrong = await call(`${guarded.url}/v2/pools`, 'GET', undefined, { authorization: 'Bearer nope' });
    expect(wrong).toMatchObject({ status: 401, body: { code: 'BAD_TOKEN' } });
    expect(guarded.logs()).not.toContain('a-secret-token');
    expect(await guarded.stop()).toBe(0);
  });
});
