import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { waitUntil } from '../support/wait-until.js';

describe('a dry run', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let home: RunningOrchestrator;
  let rateLimit = '';

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 1 });
    all = await Deployment.create({
      engines: [engine.url],
      pool: { queue: { capacity: 1, full_policy: 'drop-lru' } },
      config: {
        sessions: { budgets: { tokens: 200 }, max_turns: 2 },
        rate_limits: { requests_per_s: 1000, burst: 1000, tokens_per_min: 50_000 },
      },
    });
    home = await all.start(['api', 'worker']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  /** What an admission would change: rows, logs, lines, tickets, sessions, deadlines. Of the rate limit the header tells. */
  async function stored(): Promise<unknown> {
    const { redis, db } = all;
    if (redis === null) throw new Error('no redis');
    const everything = (await redis.keys('*')).toSorted();
    const keys = everything.filter((key) => /:(line|session|deadlines|pool-default:(prioritized|id))/.test(key));
    const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    const tasks = await db.query<{ count: string }>('SELECT count(*) FROM tasks');
    return [
      tasks.rows,
      everything.filter((key) => /:(run|events):/.test(key)),
      keys,
      dumps.map((dump) => String(dump)),
    ];
  }

  async function foresee(task: object): Promise<Record<string, unknown>> {
    const before = await stored();
    const answer = await call(`${home.url}/v2/tasks?dry_run=true`, 'POST', task);
    expect(await stored()).toEqual(before);
    expectDocumented('POST', '/v2/tasks', answer);
    expect(answer.status).toBe(200);
    rateLimit = answer.headers.get('ratelimit') ?? '';
    return answer.body as Record<string, unknown>;
  }

  it('says where a task would run, when, and what it would leave of the budget, and does nothing', async () => {
    const task = aTask({ session_id: randomUUID(), prompt: 'hello', max_tokens: 10 });
    expect(await foresee(task)).toMatchObject({
      outcome: 'accepted',
      error: null,
      placement: {
        pool_id: 'default',
        reasons: ['it is the only pool that can take the task'],
        candidates_considered: 1,
        candidates: [{ pool_id: 'default', feasible: true, score: 1 }],
      },
      replica_id: 'r0',
      queue_position: 0,
      predicted_start_ms: 0,
      drops_another: false,
      budget_remaining: { tokens: 200 - 5 - 4 - 10, time_ms: null, cost: null },
    });
    await foresee(task);
    expect(rateLimit).toContain('"tokens";r=50000;');
    expect(engine.runs).toHaveLength(0);
    expect((await call(`${home.url}/v2/sessions/${task['session_id' as never] as string}`)).status).toBe(404);
  });

  it('says what a task would be refused with, as it would be told', async () => {
    const refusals: [Record<string, unknown>, string][] = [
      [{ model_ref: 'nobody' }, 'POOL_UNAVAILABLE'],
      [{ deadline_ms: 0 }, 'DEADLINE_UNMET'],
      [{ ctx: 1_000_000 }, 'INVALID_PARAMS'],
      [{ max_tokens: 60_000, ctx: 1 }, 'INVALID_PARAMS'],
      [{ session_id: randomUUID(), max_tokens: 500 }, 'BUDGET_EXHAUSTED'],
    ];
    for (const [change, code] of refusals) {
      const task = aTask(change);
      const { outcome, error } = await foresee(task);
      expect([outcome, (error as { code: string }).code]).toEqual(['refused', code]);
      const real = await call(`${home.url}/v2/tasks`, 'POST', task);
      const untold = { correlation_id: '' };
      expect({ ...(error as object), ...untold }).toEqual({ ...(real.body as object), ...untold });
    }
    const invalid = await call(`${home.url}/v2/tasks?dry_run=true`, 'POST', aTask({ max_tokens: -1 }));
    expect(invalid).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS' } });
    expect((await call(`${home.url}/v2/tasks?dryrun=true`, 'POST', aTask())).status).toBe(400);
  });

  it('counts who waits, and tells of repeats, of whom it would drop, and of a full line', async () => {
    const running = aTask();
    await submit(home.url, running);
    await engine.run(running.prompt);
    const session_id = randomUUID();
    const waiting = aTask({ priority: 'batch', session_id, prompt: 'hi', max_tokens: 10 });
    expect(await foresee(waiting)).toMatchObject({ outcome: 'accepted', replica_id: null, queue_position: 0 });
    await submit(home.url, waiting);
    expect(await foresee(waiting)).toMatchObject({ outcome: 'repeated', queue_position: 0 });
    expect(await foresee({ ...waiting, prompt: 'ho' })).toMatchObject({
      outcome: 'refused',
      error: { code: 'CONFLICT' },
    });
    expect(await foresee(aTask({ session_id, prompt: 'hi', max_tokens: 10 }))).toMatchObject({
      outcome: 'accepted',
      drops_another: true,
      queue_position: 0,
      budget_remaining: { tokens: 200 - 2 * (2 + 4 + 10) },
    });
    const other = aTask();
    await submit(home.url, other);
    await waitUntil('the dropped task to be settled', async () => {
      const { body } = await call(`${home.url}/v2/sessions/${session_id}`);
      const isPaidBack = (body as { tokens_budget_remaining: number }).tokens_budget_remaining === 200;
      return isPaidBack && (await all.redis?.exists('{orchd}:line:default:dropped')) === 0;
    });
    expect(await foresee(aTask({ priority: 'batch' }))).toMatchObject({
      outcome: 'refused',
      error: { code: 'QUEUE_FULL_DROP_LRU', policy_label: 'drop-lru' },
      placement: { pool_id: 'default' },
    });
    for (const { task_id } of [other, running]) await cancel(home.url, task_id);
  });
});
