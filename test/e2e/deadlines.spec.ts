import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deadlinesKey } from '../../src/modules/admission/index.js';
import { aTask, call, cancel, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { waitUntil } from '../support/wait-until.js';

describe('deadlines, judged by what was measured', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 1 });
    all = await Deployment.create({ engines: [engine.url] });
    home = await all.start(['api', 'worker', 'pool-manager']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  const post = (task: object) => call(`${home.url}/v2/tasks`, 'POST', task);

  /** Tasks of 4 tokens, as asked for, that take about 200 ms, and have all the time they like. */
  async function measure(): Promise<void> {
    for (let n = 0; n < 5; n++) {
      const task = aTask({ max_tokens: 4, deadline_ms: 600_000 });
      await submit(home.url, task);
      const run = await engine.run(task.prompt);
      run.tokens(1);
      await new Promise((resolve) => setTimeout(resolve, 200)); // What is measured.
      run.tokens(3);
      run.end('limit');
      await waitUntil('it to complete', async () => (await all.row(task.task_id))?.['state'] === 'completed');
    }
  }

  it('refuses none before anything was measured, and says nothing it does not know', async () => {
    const busy = aTask();
    await submit(home.url, busy);
    await engine.run(busy.prompt);
    const waiting = aTask({ deadline_ms: 60_000 });
    const { body } = await submit(home.url, waiting);
    expect(body).toMatchObject({ predicted_start_ms: 1000 });
    expect(body).not.toHaveProperty('predicted_start_p90_ms');
    expect(body).not.toHaveProperty('on_time_probability');
    await cancel(home.url, waiting.task_id);
    await cancel(home.url, busy.task_id);
  });

  it('keeps no deadline of a task that has ended', async () => {
    await measure();
    const left = async () => await all.redis?.zcard(deadlinesKey);
    await waitUntil('no deadline to be left', async () => (await left()) === 0);
    expect(await left()).toBe(0);
  });

  it('refuses what is out of reach and tells the earliest that is not, which is then accepted', async () => {
    const perf = async () => (await call(`${home.url}/v2/pools/default`)).body as { perf: { tokens_per_s: unknown } };
    await waitUntil('the measures', async () => (await perf()).perf.tokens_per_s !== null);
    const hopeless = await post(aTask({ max_tokens: 4000, deadline_ms: 1 }));
    expect(hopeless).toMatchObject({ status: 400, body: { code: 'DEADLINE_UNMET', pool_id: 'default' } });
    expectDocumented('POST', '/v2/tasks', hopeless);
    const { details } = hopeless.body as { details: { field: string; earliest_feasible_ms: number }[] };
    const earliest = details[0]?.earliest_feasible_ms ?? 0;
    expect(details[0]?.field).toBe('deadline_ms');
    expect(earliest).toBeGreaterThan(4000 * 20);
    const task = aTask({ max_tokens: 4000, deadline_ms: Math.ceil(earliest * 1.05) });
    const { body } = await submit(home.url, task);
    const { on_time_probability: chance } = body as { on_time_probability: number };
    expect(chance).toBeGreaterThan(0.3);
    expect(chance).toBeLessThan(0.8);
    // It holds the slot now: whoever comes behind it must wait for it.
    await engine.run(task.prompt);
    const behind = await submit(home.url, aTask({ max_tokens: 4, deadline_ms: 86_400_000 }));
    const told = behind.body as Record<'predicted_start_ms' | 'predicted_start_p90_ms' | 'on_time_probability', number>;
    expect(told.predicted_start_ms).toBeGreaterThan(20_000);
    expect(told.predicted_start_p90_ms).toBeGreaterThan(told.predicted_start_ms);
    expect(told.on_time_probability).toBeGreaterThan(0.95);
    const late = await post(aTask({ max_tokens: 4, deadline_ms: 300 }));
    expect(late).toMatchObject({ status: 400, body: { code: 'DEADLINE_UNMET' } });
    await cancel(home.url, task.task_id);
  });
});
