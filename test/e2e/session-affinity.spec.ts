import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call, cancel, Deployment } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const replicas = ['a/r0', 'a/r1', 'b/r0'];

describe('the turns of a session', () => {
  let engines: ScriptedEngine[];
  let all: Deployment;
  let api: RunningOrchestrator;
  let both: RunningOrchestrator;

  beforeAll(async () => {
    engines = await Promise.all(replicas.map(() => ScriptedEngine.start({ slots: 1 })));
    const pool = (id: string): object => ({
      id,
      aliases: ['default'],
      engine: { id: 'llamacpp' },
      model: { ref: `model-of-${id}`, kv_bytes_per_token: 1000 },
      health: { interval_ms: 100, timeout_ms: 1000 },
      replicas: replicas.flatMap((name, place) =>
        name.startsWith(id) ? [{ id: name.slice(2), url: engines[place]?.url, device_mask: String(place) }] : [],
      ),
    });
    const sessions = { budgets: { tokens: 10_000 }, max_turns: 100 };
    all = await Deployment.create({ engines: [], config: { pools: [pool('a'), pool('b')], sessions } });
    both = await all.start(['api', 'worker']);
    api = await all.start(['api']);
  });

  afterEach(() => {
    for (const engine of engines) engine.onRun = () => undefined;
  });

  afterAll(async () => {
    await all.drop();
    await Promise.all(engines.map((engine) => engine.die()));
  });

  const aTurn = (session_id: string | undefined, change: object = {}) => ({
    workload: 'completion',
    model_ref: 'default',
    session_id,
    prompt: randomUUID(),
    max_tokens: 10,
    ...change,
  });

  interface Turn {
    readonly run: ScriptedRun;
    readonly where: string;
    /** Ends it; gives its metrics frame and its end. */
    finish(): Promise<{ metrics: Record<string, unknown>; end: Record<string, unknown> }>;
  }

  /** A turn that runs. @param url with a task id of its own it goes through the queue, else straight to the engine */
  async function begin(session: string | undefined, change: object = {}, url = both.url): Promise<Turn> {
    const turn = aTurn(session, change);
    const reader = await SseClient.post(url, turn);
    const { run, where } = await waitUntil(
      'it to run',
      () =>
        engines.flatMap((engine, place) =>
          engine.runsOf(turn.prompt).map((found) => ({ run: found, where: replicas[place] ?? '' })),
        )[0],
    );
    const finish = async () => {
      run.tokens(2);
      run.end();
      const end = expectWholeStream(await reader.untilEnd());
      const metrics = reader.events.find(({ event }) => event === 'metrics')?.data ?? {};
      return { metrics, end: end.data };
    };
    return { run, where, finish };
  }

  const queued = () => ({ task_id: randomUUID() });
  const sessionOf = async (id: string) => (await call(`${api.url}/v2/sessions/${id}`)).body as Record<string, unknown>;

  it.each([
    ['straight to the engine', () => ({})],
    ['through the queue', queued],
  ])('go where the last one ran, and find it warm: %s', async (_, change) => {
    const session = randomUUID();
    const pinned = { placement: { mode: 'prefer', prefer_pools: ['b'] }, ...change() };
    const first = await begin(session, pinned);
    expect(first.where).toBe('b/r0');
    const cold = await first.finish();
    expect([cold.metrics['kv_warmth'], cold.end['kv_warmth']]).toEqual([false, false]);
    expect(cold.metrics['tokens_budget_remaining']).toBe(10_000 - 36 - 4 - 10);
    const second = await begin(session, change());
    expect(second.where).toBe('b/r0');
    const warm = await second.finish();
    expect([warm.metrics['kv_warmth'], warm.end['kv_warmth']]).toEqual([true, true]);
    expect(await sessionOf(session)).toMatchObject({ turns: 2, kv_warmth: true, last_replica: 'b/r0' });
    const tokens = Number(warm.end['tokens_in']) + Number(warm.end['tokens_out']);
    await waitUntil(
      'its last turn to be counted',
      async () => (await sessionOf(session))['kv_bytes'] === 1000 * tokens,
    );
  });

  it('go to the same replica of the pool while it is free, and to another when it is not', async () => {
    const session = randomUUID();
    const pool = { placement: { mode: 'pin', pin_pool_id: 'a' } };
    const other = await begin(undefined, { ...pool, ...queued() });
    const first = await begin(session, { ...pool, ...queued() });
    expect([other.where, first.where]).toEqual(['a/r0', 'a/r1']);
    await first.finish();
    await other.finish();
    for (const change of [queued(), {}]) {
      const again = await begin(session, { ...pool, ...change });
      expect(again.where).toBe('a/r1');
      expect((await again.finish()).end['kv_warmth']).toBe(true);
    }
    const busy = await begin(session, { ...pool, ...queued() });
    const moved = await begin(session, { ...pool, ...queued() }, api.url);
    expect([busy.where, moved.where]).toEqual(['a/r1', 'a/r0']);
    expect((await moved.finish()).end['kv_warmth']).toBe(false);
    expect((await busy.finish()).end['kv_warmth']).toBe(true);
    expect(await sessionOf(session)).toMatchObject({ last_replica: 'a/r0' });
  });

  it('are cold when they ask to be, wherever they run', async () => {
    const session = randomUUID();
    const pin = { placement: { mode: 'pin', pin_pool_id: 'b' } };
    await (await begin(session, pin)).finish();
    const cold = await begin(session, { ...pin, kv_hint: 'cold' });
    expect(cold.run.body['cache_prompt']).toBe(false);
    expect((await cold.finish()).end['kv_warmth']).toBe(false);
    const warm = await begin(session, { ...pin, kv_hint: 'reuse' });
    expect(warm.run.body['cache_prompt']).toBe(true);
    const running = await call(`${api.url}/v2/tasks?session_id=${session}&state=running`);
    const taskId = (running.body as { items: { task_id: string }[] }).items[0]?.task_id ?? '';
    await cancel(api.url, taskId);
    const end = (await call(`${api.url}/v2/tasks/${taskId}/events`)).body as string;
    expect(end).toMatch(/"finish_reason":"canceled","canceled":true,"kv_warmth":true/);
  });

  it('have their caches erased when the session is deleted', async () => {
    const session = randomUUID();
    const pin = { placement: { mode: 'pin', pin_pool_id: 'b' } };
    const engine = engines[2];
    if (engine === undefined) throw new Error('no engine');
    await (await begin(session, pin)).finish();
    const before = engine.erased.length;
    expect((await call(`${api.url}/v2/sessions/${session}`, 'DELETE')).status).toBe(204);
    await waitUntil('its slot to be erased', () => engine.erased.length > before);
    const fresh = await begin(session, pin);
    expect((await fresh.finish()).end['kv_warmth']).toBe(false);
  });

  it('run on the replica whose device mask they require, and others pass them while they wait for it', async () => {
    const pool = { mode: 'pin', pin_pool_id: 'a' };
    const need = { placement: { ...pool, require_device_mask: '1' } };
    const first = await begin(undefined, need);
    expect(first.where).toBe('a/r1');
    const waiting = begin(undefined, { ...need, ...queued() }, api.url);
    await waitUntil('it to wait', async () => {
      const page = (await call(`${api.url}/v2/tasks?state=queued`)).body as { items: unknown[] };
      return page.items.length === 1;
    });
    const passing = await begin(undefined, { placement: pool, ...queued() }, api.url);
    expect(passing.where).toBe('a/r0');
    await passing.finish();
    await first.finish();
    const second = await waiting;
    expect(second.where).toBe('a/r1');
    await second.finish();
  });
});
