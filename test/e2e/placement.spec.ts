import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { waitUntil } from '../support/wait-until.js';

/** A pool over one engine, on a device of its own. */
function poolOf(id: string, engine: ScriptedEngine, mask: string, change: object = {}): Record<string, unknown> {
  return {
    id,
    aliases: ['default'],
    engine: { id: 'llamacpp' },
    model: { ref: `model-of-${id}` },
    health: { interval_ms: 100, timeout_ms: 1000 },
    replicas: [{ id: 'r0', url: engine.url, device_mask: mask }],
    ...change,
  };
}

interface Placed {
  readonly pool_id: string;
  readonly placement: {
    readonly pool_id: string;
    readonly pinned: boolean;
    readonly fallback: boolean;
    readonly reasons: readonly string[];
    readonly candidates_considered: number;
    readonly candidates: readonly { pool_id: string; feasible: boolean; reasons: string[]; score: number | null }[];
  };
}

describe('placement between pools', () => {
  const engines: ScriptedEngine[] = [];
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    for (let n = 0; n < 2; n++) engines.push(await ScriptedEngine.start({ slots: 2 }));
    const [one, other] = engines;
    if (one === undefined || other === undefined) throw new Error('no engines');
    const pools = [poolOf('a', one, '0', { queue: { capacity: 1 } }), poolOf('b', other, '1', { ctx: 64 })];
    all = await Deployment.create({ engines: [], config: { pools } });
    home = await all.start(['api', 'worker', 'pool-manager']);
  });

  afterAll(async () => {
    await all.drop();
    for (const engine of engines) await engine.die();
  });

  async function placed(change: object): Promise<Placed> {
    const task = aTask({ max_tokens: 10, ...change });
    await submit(home.url, task);
    const run = await waitUntil('its run', () => engines.flatMap((engine) => engine.runsOf(task.prompt))[0]);
    run.tokens(1);
    run.end();
    const read = await call(`${home.url}/v2/tasks/${task.task_id}`);
    expectDocumented('GET', '/v2/tasks/{id}', read);
    return read.body as Placed;
  }

  it('sends a task where it asks to be, and says why', async () => {
    expect(await placed({ placement: { mode: 'pin', pin_pool_id: 'b' } })).toMatchObject({
      pool_id: 'b',
      placement: { pool_id: 'b', pinned: true, reasons: ['the task is pinned to it'] },
    });
    expect((await placed({ placement: { mode: 'prefer', prefer_pools: ['b', 'a'] } })).pool_id).toBe('b');
    expect((await placed({ placement: { avoid_pools: ['a'] } })).pool_id).toBe('b');
    expect((await placed({ placement: { require_device_mask: '1' } })).pool_id).toBe('b');
    expect((await placed({ model_ref: 'model-of-b' })).pool_id).toBe('b');
  });

  it('leaves out what is too small, and shows the score of what is not', async () => {
    const { pool_id, placement } = await placed({ ctx: 100 });
    expect(pool_id).toBe('a');
    expect(placement).toMatchObject({ pinned: false, fallback: false, candidates_considered: 2 });
    expect(placement.candidates).toMatchObject([
      { pool_id: 'a', feasible: true, score: expect.any(Number) as number, reasons: [] },
      {
        pool_id: 'b',
        feasible: false,
        score: null,
        reasons: ['the task needs 100 tokens of context, the model has 64'],
      },
    ]);
  });

  it('falls back from preferred pools when that is allowed, and refuses when it is not', async () => {
    const placement = { mode: 'prefer', prefer_pools: ['b'] };
    expect(await placed({ ctx: 100, placement })).toMatchObject({ pool_id: 'a', placement: { fallback: true } });
    const strict = { allow_fallback: false };
    const next = { ...placement, ...strict, prefer_pools: ['b', 'a'] };
    expect(await placed({ ctx: 100, placement: next })).toMatchObject({ pool_id: 'a', placement: { fallback: false } });
    const refused = aTask({ max_tokens: 10, ctx: 100, placement: { ...placement, ...strict } });
    const answer = await call(`${home.url}/v2/tasks`, 'POST', refused);
    expectDocumented('POST', '/v2/tasks', answer);
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS', details: [{ field: 'ctx' }] } });
    const line = await waitUntil('it to be logged', () =>
      home
        .logs()
        .split('\n')
        .find((text) => text.includes('"task not placed"') && text.endsWith('}')),
    );
    expect(JSON.parse(line)).toMatchObject({
      code: 'INVALID_PARAMS',
      reasons: [expect.stringContaining('100 tokens of context') as string],
      candidates: [{ pool_id: 'a' }, { pool_id: 'b' }],
    });
  });

  it('goes to the next best pool where the line of the best is full, if it may', async () => {
    const post = (placement: object, query = '') =>
      call(`${home.url}/v2/tasks${query}`, 'POST', aTask({ max_tokens: 10, placement }));
    const pinned = { mode: 'pin', pin_pool_id: 'a' };
    // Two run, and one may wait.
    for (let n = 0; n < 3; n++) expect((await post(pinned)).status).toBe(202);
    const full = { status: 429, body: { code: 'ADMISSION_REJECT', pool_id: 'a' } };
    expect(await post(pinned)).toMatchObject(full);
    const preferred = { mode: 'prefer', prefer_pools: ['a'] };
    expect(await post({ ...preferred, allow_fallback: false })).toMatchObject(full);
    const foreseen = await post(preferred, '?dry_run=true');
    expect(foreseen.body).toMatchObject({ outcome: 'accepted', placement: { pool_id: 'b', fallback: true } });
    const { status, body } = await post(preferred);
    expect([status, body]).toMatchObject([202, { pool_id: 'b' }]);
    const { task_id: taskId } = body as { task_id: string };
    const read = await call(`${home.url}/v2/tasks/${taskId}`);
    const candidates = [{ pool_id: 'b' }, { pool_id: 'a', feasible: false, reasons: ['its line is full'] }];
    expect(read.body).toMatchObject({ placement: { fallback: true, candidates } });
  });
});
