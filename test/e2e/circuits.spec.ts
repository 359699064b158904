import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

interface ReplicaView {
  readonly ready: boolean;
  readonly circuit: string;
  readonly slots: { readonly total: number };
  readonly last_error: string | null;
}

describe('an engine that answers its probe and fails every task', () => {
  let engine: ScriptedEngine;
  let all: Deployment;
  let api: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 4 });
    all = await Deployment.create({
      engines: [engine.url],
      pool: { retries: { max: 0 }, circuit: { failures: 2, window_ms: 600_000, open_ms: 3000, longest_open_ms: 3000 } },
    });
    // No process both admits and works: what one has found reaches the other by Redis alone.
    api = await all.start(['api']);
    await Promise.all([all.start(['worker']), all.start(['worker'])]);
    await waitUntil('the replica to be ready', async () => (await replica()).ready);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
  });

  async function replica(): Promise<ReplicaView> {
    const answer = await call(`${api.url}/v2/pools/default`);
    expectDocumented('GET', '/v2/pools/{id}', answer);
    const [first] = (answer.body as { replicas: ReplicaView[] }).replicas;
    if (first === undefined) throw new Error('there is no replica');
    return first;
  }

  /** Hands in tasks until the circuit is seen open by the api. */
  async function failUntilOpen(): Promise<void> {
    engine.onRun = (run) => run.refuse(500, 'CUDA error');
    const look = async (): Promise<boolean> => {
      const task = aTask();
      const { status } = await call(`${api.url}/v2/tasks`, 'POST', task);
      if (status === 202) await all.untilState(task.task_id, 'failed');
      // The api hears of it a moment later; a task handed in before that would wait out what is to be seen.
      return waitUntil('the api to hear of it', async () => (await replica()).circuit === 'open', 1500).catch(
        () => false,
      );
    };
    await waitUntil('the circuit to open', look, 40_000);
  }

  it('gets no tasks for a while, then one, and all again when that goes well', async () => {
    await failUntilOpen();
    const refused = await call(`${api.url}/v2/tasks`, 'POST', aTask());
    expect(refused).toMatchObject({ status: 503, body: { code: 'POOL_UNAVAILABLE', retriable: true } });
    expect(refused.body).toMatchObject({ message: expect.stringContaining('circuit open') as string });
    expectDocumented('POST', '/v2/tasks', refused);
    engine.onRun = () => undefined;
    const before = engine.runs.length;
    await waitUntil('the circuit to be half open', async () => (await replica()).circuit === 'half_open');
    expect(await replica()).toMatchObject({ ready: true, slots: { total: 1 } });
    const tasks = [aTask(), aTask(), aTask()];
    for (const task of tasks) await submit(api.url, task);
    const trial = await waitUntil('one task to try', () => engine.runs[before]);
    // The others stand in line until it has answered.
    await waitUntil('the line', async () => {
      const { body } = await call(`${api.url}/v2/pools/default`);
      return (body as { queue: { depth: { interactive: number } } }).queue.depth.interactive === 2;
    });
    expect(engine.runs).toHaveLength(before + 1);
    engine.onRun = (run) => {
      run.tokens(1);
      run.end();
    };
    trial.tokens(1);
    trial.end();
    for (const { task_id } of tasks) await all.untilState(task_id, 'completed');
    await waitUntil('the api to know', async () => (await replica()).circuit === 'closed');
    expect(await replica()).toMatchObject({ ready: true, slots: { total: 4 }, last_error: null });
  });

  it('keeps its circuit open when the one that tries fails too', async () => {
    await failUntilOpen();
    await waitUntil('the circuit to be half open', async () => (await replica()).circuit === 'half_open');
    const reader = await SseClient.post(api.url, aTask());
    expect(expectWholeStream(await reader.untilEnd())).toMatchObject({
      event: 'error',
      data: { code: 'REPLICA_EXHAUSTED', retriable: true },
    });
    await waitUntil('the circuit to open again', async () => (await replica()).circuit === 'open');
    expect((await replica()).last_error).toContain('CUDA error');
  });
});
