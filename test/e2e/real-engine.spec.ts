import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment } from '../support/deployment.js';
import { busySlots, llamaServer, skipNote, startLlamaServer } from '../support/llama-server.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { expectWholeStream, SseClient, type StreamEvent } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const cache = join(import.meta.dirname, '../../node_modules/.cache/orchestratord');

async function textOf(url: string, change: Record<string, unknown>): Promise<string> {
  const reader = await SseClient.post(url, aTask({ max_tokens: 24, ...change }));
  expect(expectWholeStream(await reader.untilEnd(60_000)).event).toBe('end');
  expect(reader.tokens.length).toBeGreaterThan(0);
  return reader.tokens.map(({ data }) => data['t']).join('');
}

/** How a task without tokens ends. */
async function endOf(url: string, change: Record<string, unknown>): Promise<StreamEvent> {
  const task = aTask({ prompt: undefined, max_tokens: undefined, ...change });
  return expectWholeStream(await (await SseClient.post(url, task)).untilEnd(60_000));
}

async function expectTheMainJob(url: string, engineUrl: string): Promise<void> {
  const wish = { prompt: 'Once upon a time', seed: 7, sampling: { temperature: 1 } };
  const first = await textOf(url, wish);
  expect(await textOf(url, wish)).toBe(first);
  const messages = [
    { role: 'system', content: 'You tell stories.' },
    { role: 'user', content: 'Once upon a time' },
  ];
  const chat = { ...wish, prompt: undefined, messages, determinism: 'strict' };
  const answer = await textOf(url, chat);
  expect(await textOf(url, chat)).toBe(answer);
  expect(await textOf(url, { ...chat, sampling: { ...wish.sampling, grammar: 'root ::= "owl"' } })).toBe('owl');
  expect(await endOf(url, { workload: 'embedding', inputs: ['owl'] })).toMatchObject({
    event: 'error',
    data: { code: 'INVALID_PARAMS', message: expect.stringContaining('does not support embeddings') as string },
  });
  const long = aTask({ max_tokens: 8000, prompt: 'Once upon a time' });
  const reader = await SseClient.post(url, long);
  await reader.untilTokens(5);
  expect(await busySlots(engineUrl)).toBe(1);
  expect((await cancel(url, long.task_id)).status).toBe(204);
  await expect.poll(() => busySlots(engineUrl), { timeout: 10_000 }).toBe(0);
  expect(expectWholeStream(await reader.untilEnd())).toMatchObject({ event: 'end', data: { canceled: true } });
}

describe('the demo pool', () => {
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    await mkdir(cache, { recursive: true });
    all = await Deployment.create({
      engines: [],
      pool: {
        model: { ref: 'demo' },
        slots: 2,
        ctx: 16_384,
        devices: [],
        provisioning: { mode: 'package', package: { name: 'node-llama-cpp' } },
        health: {},
      },
      // The engine is installed once for all runs of the tests.
      config: {
        policy: { gpu: 'allowed-cpu', allow_package_installs: true },
        storage: { data_dir: join(cache, 'e2e-data') },
      },
    });
    home = await all.start(['api', 'worker', 'pool-manager']);
  });

  afterAll(async () => {
    await all.drop();
  });

  it('streams tokens of a real llama.cpp, the same for the same seed, and cancel frees its slot', async () => {
    const replica = await waitUntil(
      'the engine',
      async () => {
        const { body } = await call(`${home.url}/v2/pools/default`);
        return (body as { replicas: { url: string; ready: boolean; pid: number }[] }).replicas.find(
          ({ ready }) => ready,
        );
      },
      90_000,
    );
    expect(replica.pid).toBeGreaterThan(0);
    await expectTheMainJob(home.url, replica.url);
    expect(await home.stop()).toBe(0);
    await expect(fetch(`${replica.url}/health`)).rejects.toThrow('fetch failed');
  });
});

describe('a llama-server that runs already', () => {
  it.skipIf(llamaServer === null)(`streams its tokens and frees its slot${skipNote}`, () =>
    withLlamaServer([], async (url, engineUrl) => {
      await expectTheMainJob(url, engineUrl);
      expect(await busySlots(engineUrl)).toBe(0);
    }),
  );

  it.skipIf(llamaServer === null)(`embeds when it was started for it${skipNote}`, () =>
    withLlamaServer(['--embeddings', '--pooling', 'mean'], async (url) => {
      const { data } = await endOf(url, {
        workload: 'embedding',
        inputs: ['The owl flies.', 'The sea.', 'The owl flies.'],
      });
      const { embeddings } = data['result'] as { embeddings: number[][] };
      const [owl, sea, again] = embeddings;
      expect(embeddings.map((vector) => Math.round(1000 * Math.hypot(...vector)))).toEqual([1000, 1000, 1000]);
      expect(again).toEqual(owl);
      expect(sea).not.toEqual(owl);
      expect(data).toMatchObject({ tokens_in: expect.any(Number) as number, tokens_out: 0, finish_reason: 'stop' });
    }),
  );

  it.skipIf(llamaServer === null)(`scores documents when it was started for it${skipNote}`, () =>
    withLlamaServer(['--reranking'], async (url) => {
      const rerank = { workload: 'rerank', query: 'Which bird?', documents: ['The owl.', 'The sea.', 'The owl.'] };
      const { scores } = (await endOf(url, rerank)).data['result'] as { scores: { index: number; score: number }[] };
      const scoreOf = (place: number): number => scores.find(({ index }) => index === place)?.score ?? Number.NaN;
      expect(scores.map(({ score }) => score)).toEqual(scores.map(({ score }) => score).toSorted((a, b) => b - a));
      expect(scoreOf(2)).toBeCloseTo(scoreOf(0));
      expect(scoreOf(1)).not.toBeCloseTo(scoreOf(0));
    }),
  );
});

/** Runs a llama-server with the demo model behind an orchestratord of its own. */
async function withLlamaServer(
  flags: readonly string[],
  act: (url: string, engineUrl: string) => Promise<void>,
): Promise<void> {
  const engine = await startLlamaServer(['--parallel', '2', '--ctx-size', '16384', ...flags]);
  const all = await Deployment.create({ engines: [engine.url] });
  try {
    const home = await all.start(['api', 'worker']);
    await act(home.url, engine.url);
    expect(engine.isRunning()).toBe(true);
  } finally {
    await all.drop();
    await engine.stop();
  }
}
