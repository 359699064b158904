import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment } from '../support/deployment.js';
import { startEngineHost, type RunningEngineHost } from '../support/engine-host.js';
import { llamaServer, skipNote, startLlamaServer } from '../support/llama-server.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { Valve } from '../support/valve.js';
import { waitUntil } from '../support/wait-until.js';

const seeds = Array.from({ length: 64 }, (_, seed) => seed * 7919);

/** What an engine answers to one request, without any of ours between. */
async function answerOf(url: string, seed: number, change: Record<string, unknown> = {}): Promise<string> {
  const body = { prompt: 'Once upon a time', n_predict: 24, temperature: 1, cache_prompt: false, seed, ...change };
  const answer = await fetch(`${url}/completion`, { method: 'POST', body: JSON.stringify(body) });
  return ((await answer.json()) as { content: string }).content;
}

async function answersOf(url: string, change: Record<string, unknown> = {}): Promise<string[]> {
  const answers: string[] = [];
  for (const seed of seeds) answers.push(await answerOf(url, seed, change));
  return answers;
}

/** The demo model with the last of its weights turned round. */
function otherModel(gguf: Buffer): Buffer {
  const other = Buffer.from(gguf);
  for (let at = other.length - 16_384; at + 4 <= other.length; at += 4) other.writeFloatLE(-other.readFloatLE(at), at);
  return other;
}

describe('a real llama.cpp', () => {
  it('gives the same bytes for 64 seeds on two replicas and after a restart, and others for another model or profile', async () => {
    const [one, two, other] = await Promise.all([
      startEngineHost(),
      startEngineHost(),
      startEngineHost({ change: otherModel }),
    ]);
    const first = await answersOf(one.url);
    expect(new Set(first).size).toBe(seeds.length);
    expect(await answersOf(two.url)).toEqual(first);
    await one.stop();
    const again = await startEngineHost();
    expect(await answersOf(again.url)).toEqual(first);
    const isSame = (answers: readonly string[]): boolean[] => answers.map((text, place) => text === first[place]);
    expect(isSame(await answersOf(other.url))).not.toContain(true);
    const otherProfile = { temperature: 0.7, top_k: 5 };
    expect(isSame(await answersOf(two.url, otherProfile)).filter((same) => same).length).toBeLessThan(seeds.length / 4);
    await Promise.all([two.stop(), other.stop(), again.stop()]);
  });

  it.skipIf(llamaServer === null)(`does so as llama-server, too${skipNote}`, async () => {
    const args = ['--parallel', '1', '--ctx-size', '2048'];
    const [one, two] = await Promise.all([startLlamaServer(args), startLlamaServer(args)]);
    const first = await answersOf(one.url);
    expect(await answersOf(two.url)).toEqual(first);
    await one.stop();
    const again = await startLlamaServer(args);
    expect(await answersOf(again.url)).toEqual(first);
    await Promise.all([two.stop(), again.stop()]);
  });
});

describe('a seeded answer of a real llama.cpp', () => {
  const wish = { prompt: 'Once upon a time', seed: 7, max_tokens: 2500, sampling: { temperature: 1 } };
  const workerConfig = { worker: { lock_ms: 1000, shutdown_grace_ms: 0 } };
  let engines: RunningEngineHost[];
  let valves: Valve[];
  let all: Deployment;
  let apis: [RunningOrchestrator, RunningOrchestrator];
  let worker: RunningOrchestrator;
  let undisturbed: string;

  beforeAll(async () => {
    const options = { slots: 2, ctx: 8192 };
    engines = await Promise.all([startEngineHost(options), startEngineHost(options), startEngineHost(options)]);
    valves = await Promise.all(engines.map(({ url }) => Valve.before(url)));
    all = await Deployment.create({ engines: valves.map(({ url }) => url), config: workerConfig });
    apis = await Promise.all([all.start(['api']), all.start(['api'])]);
    worker = await all.start(['worker']);
    const reader = await SseClient.post(apis[0].url, aTask(wish));
    expectWholeStream(await reader.untilEnd());
    undisturbed = textOf(reader);
  });

  afterAll(async () => {
    await all.drop();
    for (const valve of valves) valve.close();
    await Promise.all(engines.map((engine) => engine.stop()));
  });

  const textOf = ({ tokens }: Pick<SseClient, 'tokens'>): string => tokens.map(({ data }) => data['t']).join('');

  it.each([
    ['its engine is killed', async (replica: number) => engines[replica]?.process.kill('SIGKILL')],
    [
      'its worker is killed',
      async () => {
        await worker.kill9();
        worker = await all.start(['worker']);
      },
    ],
    [
      'its worker stops',
      async () => {
        await worker.stop();
        worker = await all.start(['worker']);
      },
    ],
  ])('is the same, byte for byte, when %s in the middle', async (_, lose) => {
    const task = aTask(wish);
    for (const valve of valves) valve.holdAfter(100);
    const steady = await SseClient.post(apis[0].url, task);
    const restless = await SseClient.read(apis[1].url, task.task_id);
    await restless.untilTokens(50);
    const { replica_id } = (await call(`${apis[0].url}/v2/tasks/${task.task_id}`)).body as { replica_id: string };
    restless.close();
    await lose(Number(replica_id.slice(1)));
    for (const valve of valves) valve.open();
    const end = expectWholeStream(await steady.untilEnd());
    expect(steady.tokens.length).toBeGreaterThan(restless.tokens.length);
    expect(textOf(steady) === undisturbed).toBe(true);
    expect(end).toMatchObject({ event: 'end', data: { tokens_out: 2500, finish_reason: 'length' } });
    const resumed = await SseClient.read(apis[1].url, task.task_id, { lastEventId: restless.lastId });
    await resumed.untilEnd();
    expect(textOf({ tokens: [...restless.tokens, ...resumed.tokens] }) === undisturbed).toBe(true);
    const attempts = async (): Promise<unknown> =>
      ((await call(`${apis[0].url}/v2/tasks/${task.task_id}`)).body as { attempts: number }).attempts;
    await waitUntil('the second attempt', async () => (await attempts()) === 2);
  });
});
