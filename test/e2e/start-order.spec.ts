import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { waitUntil } from '../support/wait-until.js';

let strict: ScriptedEngine;
let shared: ScriptedEngine;
let all: Deployment;
let apis: RunningOrchestrator[];
let workers: RunningOrchestrator[];

const poolOf = (id: string, engine: ScriptedEngine, admission: object) => ({
  id,
  engine: { id: 'llamacpp' },
  model: { ref: id },
  admission,
  replicas: [{ id: 'r0', url: engine.url }],
});

beforeAll(async () => {
  strict = await ScriptedEngine.start({ slots: 1 });
  shared = await ScriptedEngine.start({ slots: 2 });
  const pools = [poolOf('strict', strict, {}), poolOf('shared', shared, { batch_share: 0.5, batch_max_wait_ms: 0 })];
  all = await Deployment.create({ engines: [], config: { pools, worker: { lock_ms: 1000 } } });
  apis = await Promise.all([all.start(['api']), all.start(['api'])]);
  workers = await Promise.all([all.start(['worker']), all.start(['worker'])]);
});

afterAll(async () => {
  await all.drop();
  await strict.die();
  await shared.die();
});

const finish = (run: ScriptedRun | undefined): void => {
  run?.tokens(1);
  run?.end();
};

/** The n-th run that reached an engine. */
const nth = (engine: ScriptedEngine, n: number) => waitUntil(`run ${n}`, () => engine.runs[n]);

describe('tasks that wait', () => {
  it('start in their order over two workers, and one that loses its worker starts again before all others', async () => {
    const busy = aTask({ model_ref: 'strict' });
    await submit(apis[0]?.url ?? '', busy);
    await strict.run(busy.prompt);
    const waiting: ReturnType<typeof aTask>[] = [];
    const classes = Array.from({ length: 18 }, (_, n) => (n % 3 === 1 ? 'interactive' : 'batch'));
    for (const [n, priority] of classes.entries()) {
      const task = { ...aTask({ model_ref: 'strict' }), priority };
      const { body } = await submit(apis[n % 2]?.url ?? '', task);
      const ahead = classes.slice(0, n).filter((other) => priority === 'batch' || other === 'interactive').length;
      expect(body).toMatchObject({ queue_position: ahead });
      waiting.push(task);
    }
    const ofClass = (priority: string) => waiting.filter((_, n) => classes[n] === priority);
    const expected = [busy, ...ofClass('interactive'), ...ofClass('batch')].map(({ prompt }) => prompt);
    const lostAt = 4;
    for (let n = 0; n < lostAt; n++) finish(await nth(strict, n));
    await nth(strict, lostAt);
    // Whichever runs it: nothing was answered yet, so it begins once more.
    await Promise.all(workers.map((worker) => worker.kill9()));
    workers = await Promise.all([all.start(['worker']), all.start(['worker'])]);
    expected.splice(lostAt, 0, expected[lostAt] ?? '');
    for (let n = lostAt + 1; n < expected.length; n++) finish(await nth(strict, n));
    expect(strict.runs.map(({ prompt }) => prompt)).toEqual(expected);
    await all.untilState(waiting.at(-1)?.task_id ?? '', 'queued', 'running', 'completed');
  });

  it('of batch get their share of the slots, though interactive ones wait, once they have waited long enough', async () => {
    const url = apis[0]?.url ?? '';
    const kinds = new Map<string, string>();
    const post = async (priority: string): Promise<void> => {
      const task = aTask({ model_ref: 'shared', priority });
      kinds.set(task.prompt, priority);
      await submit(url, task);
    };
    await post('interactive');
    await post('interactive');
    await waitUntil('both slots to be taken', () => shared.runs.length === 2);
    for (let n = 0; n < 5; n++) await post('interactive');
    for (let n = 0; n < 5; n++) await post('batch');
    const open = (): ScriptedRun[] => shared.runs.filter(({ sent }) => sent === 0);
    for (let n = 2; n < 11; n++) {
      finish(open()[0]);
      await nth(shared, n);
      const running = open().map(({ prompt }) => kinds.get(prompt));
      // One of two slots, and never both while somebody interactive waits.
      expect(running.filter((kind) => kind === 'batch')).toHaveLength(1);
    }
    for (const run of open()) finish(run);
    finish(await nth(shared, 11));
    const { body } = await call(`${url}/v2/pools/shared`);
    expect(body).toMatchObject({ queue: { depth: { interactive: 0, batch: 0 } } });
  });
});
