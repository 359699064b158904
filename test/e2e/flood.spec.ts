import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, cancel, Deployment } from '../support/deployment.js';
import { type RunningSimulator, startEngineSimulator } from '../support/engine-simulator.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';

const tasks = 8;
const tokens = 3000;

describe('an engine that answers as fast as it can', () => {
  let engine: RunningSimulator;
  let all: Deployment;
  let worker: RunningOrchestrator;
  let api: RunningOrchestrator;

  beforeAll(async () => {
    engine = await startEngineSimulator({ slots: tasks });
    all = await Deployment.create({ engines: [engine.url] });
    [worker, api] = await Promise.all([all.start(['api', 'worker']), all.start(['api'])]);
  });

  afterAll(async () => {
    await all.drop();
    await engine.stop();
  });

  it('is heard whole by every reader of every task, in both processes', async () => {
    const wanted = Array.from({ length: tasks }, () => aTask({ max_tokens: tokens }));
    const readers = await Promise.all(
      wanted.map(async (task) => {
        const first = await SseClient.post(worker.url, task);
        return [first, await SseClient.read(api.url, task.task_id)];
      }),
    );
    for (const reader of readers.flat()) {
      const end = expectWholeStream(await reader.untilEnd());
      expect(end).toMatchObject({ event: 'end', data: { tokens_out: tokens, finish_reason: 'length' } });
      expect(reader.tokens).toHaveLength(tokens);
    }
  });

  it('is stopped by a cancel in the midst of it', async () => {
    const task = aTask({ max_tokens: 8000 });
    const reader = await SseClient.post(api.url, task);
    await reader.untilTokens(1);
    const answer = await cancel(api.url, task.task_id);
    const end = expectWholeStream(await reader.untilEnd());
    expect(end.id).toBe(Number(answer.headers.get('x-last-event-id')));
    await expect.poll(() => engine.busySlots(), { timeout: 10_000 }).toBe(0);
  });
});
