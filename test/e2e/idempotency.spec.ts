import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, type Answer } from '../support/deployment.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { SseClient } from '../support/sse-client.js';

const authorization = 'Bearer the-token-of-this-test';

describe('Idempotency-Key', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let apis: string[];

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 64 });
    all = await Deployment.create({ engines: [engine.url], env: { AUTH_TOKEN: 'the-token-of-this-test' } });
    const started = await Promise.all([all.start(['api']), all.start(['api', 'worker'])]);
    apis = started.map(({ url }) => url);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  /** A body without an id of its own. */
  function aBody(change: Readonly<Record<string, unknown>> = {}) {
    const { task_id, ...body } = aTask(change);
    return { ...body, prompt: `prompt of ${task_id}` };
  }

  function post(place: number, body: unknown, headers: Record<string, string>): Promise<Answer> {
    return call(`${apis[place % apis.length]}/v2/tasks`, 'POST', body, headers);
  }

  function idOf(answer: Answer | undefined): string {
    return String((answer?.body as { task_id?: unknown } | undefined)?.task_id);
  }

  async function endRun(prompt: string): Promise<void> {
    const run = await engine.run(prompt);
    run.tokens(2);
    run.end();
  }

  it('gives one task and one answer, however often and wherever it is sent at once', async () => {
    const body = aBody();
    const headers = { 'idempotency-key': randomUUID() };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => post(n, body, headers)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    for (const answer of answers) expect(answer.body).toEqual(answers[0]?.body);
    await endRun(body.prompt);
    const taskId = idOf(answers[0]);
    await all.untilState(taskId, 'completed');
    expect(await post(1, body, headers)).toMatchObject({ status: 202, body: answers[0]?.body });
    expect(engine.runsOf(body.prompt)).toHaveLength(1);
    const rows = await all.db.query('SELECT 1 FROM tasks WHERE task_id = $1', [taskId]);
    expect(rows.rowCount).toBe(1);
  });

  it('takes no place in line with repeats that come while it begins', async () => {
    const bodies = Array.from({ length: 40 }, () => aBody());
    const places: string[] = [];
    for (const body of bodies) {
      const headers = { 'idempotency-key': randomUUID() };
      await Promise.all(Array.from({ length: 6 }, (_, n) => post(n, body, headers)));
      const run = await engine.run(body.prompt);
      places.push(...((await all.redis?.zrange('{orchd}:line:default:interactive', '0', '-1')) ?? ['no redis']));
      run.end();
    }
    expect(places).toEqual([]);
  });

  it('refuses another body under the same key and names the header', async () => {
    const body = aBody();
    const headers = { 'idempotency-key': 'the "same" key'.replaceAll(' ', '_') };
    expect((await post(0, body, headers)).status).toBe(202);
    const refused = await post(1, { ...body, max_tokens: 999 }, headers);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', retriable: false, details: [{ field: 'header.Idempotency-Key' }] },
    });
    await endRun(body.prompt);
  });

  it('attaches a repeat to the same stream', async () => {
    const body = aBody();
    const headers = { 'idempotency-key': randomUUID() };
    const first = await SseClient.post(apis[0] ?? '', body, headers);
    const second = await SseClient.post(apis[1] ?? '', body, headers);
    await endRun(body.prompt);
    await Promise.all([first.untilEnd(), second.untilEnd()]);
    const third = await SseClient.post(apis[1] ?? '', body, headers);
    await third.untilEnd();
    expect(first.tokens).toHaveLength(2);
    expect([second.frames, third.frames]).toEqual([first.frames, first.frames]);
    expect(second.response.headers['location']).toBe(first.response.headers['location']);
    expect(engine.runsOf(body.prompt)).toHaveLength(1);
  });

  it('is the key of one caller: with a token it is another than without', async () => {
    const [mine, theirs] = [aBody(), aBody()];
    const key = randomUUID();
    const first = await post(0, mine, { 'idempotency-key': key });
    const second = await post(0, theirs, { 'idempotency-key': key, authorization });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(idOf(first)).not.toBe(idOf(second));
    await Promise.all([endRun(mine.prompt), endRun(theirs.prompt)]);
  });

  it('leaves the decision to a task_id that is given too', async () => {
    const [one, other] = [aTask(), aTask()];
    const headers = { 'idempotency-key': randomUUID() };
    expect(await post(0, one, headers)).toMatchObject({ status: 202, body: { task_id: one.task_id } });
    expect(await post(0, other, headers)).toMatchObject({ status: 202, body: { task_id: other.task_id } });
    await Promise.all([endRun(one.prompt), endRun(other.prompt)]);
  });

  it.each(['', 'two words', 'x'.repeat(256), 'naïve'])('refuses %j with 400', async (key) => {
    const body = aBody();
    const refused = await post(0, body, { 'idempotency-key': key });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'INVALID_PARAMS', details: [{ field: 'header.Idempotency-Key' }] },
    });
    expect(engine.runsOf(body.prompt)).toEqual([]);
  });
});
