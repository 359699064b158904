import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';

const pool = (id: string, mock: object) => ({
  id,
  aliases: [id],
  engine: { id: 'mock', mock: { first_token_ms: 0, tokens_per_s: 1000, ...mock } },
  model: { ref: 'mock' },
  slots: 4,
  health: { interval_ms: 100, timeout_ms: 1000 },
  replicas: [{ id: 'r0', url: 'mock://r0' }],
});

describe('a server without an engine', () => {
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    const pools = [
      pool('default', {}),
      pool('slow', { tokens_per_s: 20 }),
      pool('broken', { faults: [{ kind: 'oom', after_tokens: 3 }] }),
      pool('shaky', { faults: [{ kind: 'reset', every: 2 }] }),
    ];
    all = await Deployment.create({ engines: [], config: { pools } });
    home = await all.start(['api', 'worker']);
  });

  afterAll(() => all.drop());

  const run = async (change: Record<string, unknown>) => {
    const reader = await SseClient.post(home.url, aTask({ max_tokens: 10, prompt: 'Once upon a time', ...change }));
    const last = expectWholeStream(await reader.untilEnd());
    return { last, text: reader.tokens.map(({ data }) => data['t']).join('') };
  };

  it('streams the same words for the same request', async () => {
    const first = await run({ seed: 3 });
    expect(first.last).toMatchObject({ event: 'end', data: { tokens_in: 4, tokens_out: 10, finish_reason: 'length' } });
    expect(await run({ seed: 3 })).toMatchObject({ text: first.text });
    expect((await run({ seed: 4 })).text).not.toBe(first.text);
  });

  it('can be canceled', async () => {
    const task = aTask({ model_ref: 'slow' });
    const reader = await SseClient.post(home.url, task);
    await reader.untilTokens(2);
    expect((await cancel(home.url, task.task_id)).status).toBe(204);
    expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end', data: { canceled: true } });
  });

  it('fails as its pool is told to, or is asked again', async () => {
    // A conversation that was broken off is not handed over to another engine.
    const talk = { prompt: undefined, messages: [{ role: 'user', content: 'Why is the sky blue?' }] };
    expect((await run({ model_ref: 'broken', ...talk })).last).toMatchObject({
      event: 'error',
      data: { code: 'WORKER_RESET', engine: 'mock' },
    });
    expect((await run({ model_ref: 'shaky' })).last.event).toBe('end');
    expect((await run({ model_ref: 'shaky' })).last.event).toBe('end');
  });

  it('refuses what the mock knows nothing of, by the name of the field', async () => {
    const { status, body } = await call(
      `${home.url}/v2/tasks`,
      'POST',
      aTask({ sampling: { grammar: 'root ::= "a"' } }),
    );
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain('sampling.grammar');
  });
});
