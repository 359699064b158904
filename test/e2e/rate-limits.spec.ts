import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, type Answer } from '../support/deployment.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { SseClient } from '../support/sse-client.js';

const token = 'the-token-of-this-test';
const authorization = `Bearer ${token}`;
/** None comes back while the tests run: a request in 1,000 s. */
const burst = 40;
const rate_limits = { requests_per_s: 0.001, burst };

/** Each of these tasks counts 30 tokens: 20 to generate, and a prompt of 40 bytes. */
function aCountedTask(change: Readonly<Record<string, unknown>> = {}) {
  return aTask({ prompt: 'x'.repeat(40), max_tokens: 20, ...change });
}

describe('rate limits', () => {
  let engine: ScriptedEngine;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 64 });
  });

  afterAll(() => engine.die());

  async function deployment(limits: object | null, config: object = {}): Promise<{ all: Deployment; apis: string[] }> {
    const all = await Deployment.create({
      engines: [engine.url],
      env: { AUTH_TOKEN: token },
      config: { rate_limits: limits, ...config },
    });
    const started = await Promise.all([all.start(['api']), all.start(['api', 'worker'])]);
    return { all, apis: started.map(({ url }) => url) };
  }

  const statusesOf = (answers: readonly Answer[]): Record<number, number> => {
    const counts: Record<number, number> = {};
    for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  };

  describe('of requests', () => {
    let all: Deployment;
    let apis: string[];
    const list = (place: number, headers: Record<string, string> = {}) =>
      call(`${apis[place % 2]}/v2/tasks?limit=1`, 'GET', undefined, headers);

    beforeAll(async () => {
      ({ all, apis } = await deployment(rate_limits, { auth: { trust_proxy: true } }));
    });

    afterAll(() => all.drop());

    it('let exactly the burst through, over both processes', async () => {
      const answers = await Promise.all(Array.from({ length: 3 * burst }, (_, n) => list(n)));
      expect(statusesOf(answers)).toEqual({ 200: burst, 429: 2 * burst });
      const last = answers.filter(({ status }) => status === 200).map(({ headers }) => headers.get('ratelimit'));
      const remaining = last.map((text) => Number(/^"requests";r=(\d+);t=\d+$/.exec(text ?? '')?.[1]));
      expect(remaining.toSorted((a, b) => a - b)).toEqual(Array.from({ length: burst }, (_, n) => n));
    });

    it('are told in the refusal', async () => {
      const { status, headers, body } = await list(0);
      expect(status).toBe(429);
      expect(body).toMatchObject({ code: 'ADMISSION_REJECT', retriable: true, policy_label: 'rate-limit' });
      const { retry_after_ms: waitMs } = body as { retry_after_ms: number };
      expect(waitMs).toBeGreaterThan(900_000);
      expect(headers.get('retry-after')).toBe(String(Math.ceil(waitMs / 1000)));
      expect(headers.get('x-backoff-ms')).toBe(String(waitMs));
      expect(headers.get('ratelimit-policy')).toBe(`"requests";q=${burst};w=${burst * 1000}`);
      expect(headers.get('ratelimit')).toMatch(/^"requests";r=0;t=\d+$/);
      expect(headers.get('x-correlation-id')).toBeTruthy();
    });

    it('hold for a submit, before its body is read, and enqueue nothing', async () => {
      const task = aTask();
      expect((await call(`${apis[1]}/v2/tasks`, 'POST', task)).status).toBe(429);
      expect((await call(`${apis[1]}/v2/tasks`, 'POST', '{broken')).status).toBe(429);
      expect(await all.row(task.task_id)).toBeNull();
    });

    it('hold for each caller alone: the token is another than the address, and so is another address', async () => {
      expect((await list(0, { authorization })).status).toBe(200);
      expect((await list(0, { 'x-forwarded-for': '127.0.0.7' })).status).toBe(200);
      expect((await list(0, { 'x-forwarded-for': '127.0.0.1' })).status).toBe(429);
    });

    it('do not hold for cancels, streams, probes and metrics', async () => {
      const task = aTask();
      const reader = await SseClient.post(apis[0] ?? '', task, { authorization });
      expect((await cancel(apis[0] ?? '', task.task_id)).status).toBe(204);
      await reader.untilEnd();
      await (await SseClient.read(apis[1] ?? '', task.task_id)).untilEnd();
      for (const path of ['/healthz', '/readyz', '/metrics'])
        expect((await call(`${apis[0]}${path}`)).status).toBe(200);
    });
  });

  describe('of tokens', () => {
    let all: Deployment;
    let apis: string[];
    const post = (place: number, task: object, headers: Record<string, string> = {}) =>
      call(`${apis[place % 2]}/v2/tasks`, 'POST', task, headers);

    beforeAll(async () => {
      // Three tasks; a fourth only 12 s later.
      ({ all, apis } = await deployment({ tokens_per_min: 100 }));
    });

    afterAll(() => all.drop());

    it('let exactly as many tasks in as they cover, over both processes, and tell what remains', async () => {
      const tasks = Array.from({ length: 20 }, () => aCountedTask());
      const answers = await Promise.all(tasks.map((task, n) => post(n, task)));
      expect(statusesOf(answers)).toEqual({ 202: 3, 429: 17 });
      const rows = await all.db.query('SELECT 1 FROM tasks');
      expect(rows.rowCount).toBe(3);
      const refused = answers.find(({ status }) => status === 429);
      expect(refused?.body).toMatchObject({ code: 'ADMISSION_REJECT', policy_label: 'rate-limit' });
      expect(refused?.headers.get('ratelimit-policy')).toBe('"tokens";q=100;w=60');
      expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);

      const [accepted] = tasks.filter((_, n) => answers[n]?.status === 202);
      const repeats = await Promise.all([0, 1, 0, 1].map((place) => post(place, accepted ?? {})));
      expect(statusesOf(repeats)).toEqual({ 202: 4 });
    });

    it('are not used up by repeats that race', async () => {
      const task = aCountedTask();
      const racing = await Promise.all(Array.from({ length: 3 }, (_, n) => post(n, task, { authorization })));
      expect(statusesOf(racing)).toEqual({ 202: 3 });
      const stream = await SseClient.post(apis[0] ?? '', aCountedTask(), { authorization });
      expect(String(stream.response.headers['ratelimit'])).toMatch(/^"tokens";r=4\d;t=\d+$/);
      stream.close();
    });

    it('refuse for ever what a minute can not cover, and name the field', async () => {
      const refused = await post(0, aCountedTask({ max_tokens: 200 }), { authorization });
      expect(refused).toMatchObject({ status: 400, body: { retriable: false, details: [{ field: 'max_tokens' }] } });
    });
  });

  it('leave no trace where none are configured', async () => {
    const { all, apis } = await deployment(null);
    try {
      const { status, headers } = await call(`${apis[0]}/v2/tasks`, 'POST', aTask());
      expect([status, headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([202, null, null]);
      expect(await all.redis?.keys('*:rate:*')).toEqual([]);
    } finally {
      await all.drop();
    }
  });
});
