import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskExamples } from '../../src/contract/task-request.js';
import { aTask, call, Deployment, submit, type Answer } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient, type StreamEvent } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const bodyLimit = 4 * 1024 * 1024;
const mostInputs = 2048;
const tokenBudget = 10_000;

/** Work of a kind, with an id and a first text of its own; nothing of the others. */
function work(fields: Readonly<Record<string, unknown>>) {
  const { task_id, model_ref } = aTask();
  return { task_id, model_ref, workload: 'completion', ...fields };
}

const embeddingOf = (vectors: readonly (readonly number[])[]) => ({
  object: 'list',
  data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
  usage: { prompt_tokens: 12, total_tokens: 12 },
});

describe('work of every kind', () => {
  let engine: ScriptedEngine;
  let plain: ScriptedEngine;
  let all: Deployment;
  let home: RunningOrchestrator;
  let reader: RunningOrchestrator;

  beforeAll(async () => {
    engine = await ScriptedEngine.start({ slots: 8 });
    plain = await ScriptedEngine.start({ slots: 8 });
    const poolOf = (id: string, at: ScriptedEngine, change: object) => ({
      id,
      model: { ref: `model-of-${id}` },
      health: { interval_ms: 100, timeout_ms: 10_000 },
      replicas: [{ id: 'r0', url: at.url }],
      ...change,
    });
    const pools = [
      poolOf('full', engine, { engine: { id: 'llamacpp' }, aliases: ['default', 'shared'] }),
      poolOf('bare', plain, { engine: { id: 'openai' }, aliases: ['shared'], sampler_profile_version: 'v2' }),
    ];
    const sessions = { budgets: { tokens: tokenBudget } };
    all = await Deployment.create({
      engines: [],
      config: { pools, sessions, rate_limits: { tokens_per_min: 20_000_000 } },
    });
    [home, reader] = await Promise.all([all.start(['api', 'worker']), all.start(['api'])]);
  });

  afterAll(async () => {
    await all.drop();
    await engine.die();
    await plain.die();
  });

  async function refusal(change: Readonly<Record<string, unknown>>): Promise<[number, unknown]> {
    const answer = await call(`${home.url}/v2/tasks`, 'POST', work(change));
    expectDocumented('POST', '/v2/tasks', answer);
    const { code, details = [] } = answer.body as { code: string; details?: { field: string; problem: string }[] };
    return [answer.status, { code, ...Object.fromEntries(details.map(({ field, problem }) => [field, problem])) }];
  }

  /** What was asked, in full, nowhere any more; and what came, byte for byte, also when the log has expired. */
  async function expectKept(taskId: string, frames: string, words: string): Promise<Answer> {
    const id = await waitUntil('the transcript', async () => (await all.row(taskId))?.['artifact_id'] as string | null);
    expect((await all.row(taskId))?.['request']).toBeNull();
    const keys = (await all.redis?.keys(`*${taskId}*`)) ?? [];
    for (const key of keys.filter((one) => one.includes(':run:'))) expect(await all.redis?.hget(key, 'req')).toBeNull();
    const transcript = await call(`${home.url}/v2/artifacts/${id}`);
    expect(JSON.stringify((transcript.body as { content: { request: object } }).content.request)).not.toContain(words);
    const live = await SseClient.read(reader.url, taskId);
    await live.untilEnd();
    await all.redis?.del(...keys);
    const late = await SseClient.read(reader.url, taskId);
    await late.untilEnd();
    expect([live.frames, late.frames]).toEqual([frames, frames]);
    return transcript;
  }

  async function streamed(
    task: { readonly task_id: string },
    firstText: string,
    act: (run: Awaited<ReturnType<ScriptedEngine['run']>>) => void,
  ): Promise<{ end: StreamEvent; frames: string; body: Readonly<Record<string, unknown>>; path: string }> {
    const stream = await SseClient.post(home.url, task);
    const run = await engine.run(firstText);
    act(run);
    const end = expectWholeStream(await stream.untilEnd());
    return { end, frames: stream.frames, body: run.body, path: run.path };
  }

  it('a conversation reaches the engine with all that says how to answer it', async () => {
    const words = `a secret of ${randomUUID()}`;
    const messages = [
      { role: 'system', content: words },
      { role: 'user', content: 'Hello?' },
      { role: 'assistant', content: '' },
    ];
    const sampling = {
      temperature: 0.5,
      top_p: 0.9,
      top_k: 12,
      min_p: 0.1,
      repeat_penalty: 1.1,
      presence_penalty: 0.2,
      frequency_penalty: -0.3,
      stop: ['\n'],
      json_schema: { type: 'object' },
    };
    const task = work({
      messages,
      max_tokens: 20,
      seed: 7,
      determinism: 'strict',
      sampler_profile_version: 'v1',
      sampling,
    });
    const { end, frames, body, path } = await streamed(task, words, (run) => run.chat(['Hi', ' there']));
    expect(path).toBe('/v1/chat/completions');
    expect(body).toMatchObject({ messages, max_tokens: 20, seed: 7, stream: true, cache_prompt: false, ...sampling });
    expect(end.data).toMatchObject({ tokens_in: 9, tokens_out: 2, finish_reason: 'stop' });
    expect(end.data).not.toHaveProperty('result');
    const { body: kept } = await expectKept(task.task_id, frames, words);
    const bytes = `[${messages.map(({ role, content }) => JSON.stringify({ content, role })).join(',')}]`;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(kept).toMatchObject({ content: { request: { messages: { length: bytes.length, sha256 }, sampling } } });
  });

  it('an embedding ends in one vector for each input, which outlives the log', async () => {
    const words = `a secret of ${randomUUID()}`;
    const vectors = [
      [0.1, -2e-7],
      [1 / 3, 0],
    ];
    const task = work({ workload: 'embedding', inputs: [words, 'b'] });
    const { end, frames, body, path } = await streamed(task, words, (run) => run.answer(embeddingOf(vectors)));
    expect([path, body['input']]).toEqual(['/v1/embeddings', [words, 'b']]);
    expect(end).toMatchObject({ event: 'end', data: { tokens_in: 12, tokens_out: 0, first_token_ms: null } });
    expect(end.data['result']).toEqual({ embeddings: vectors });
    const read = await call(`${home.url}/v2/tasks/${task.task_id}`);
    expectDocumented('GET', '/v2/tasks/{id}', read);
    expect(read.body).toMatchObject({ state: 'completed', workload: 'embedding', tokens_in: 12, tokens_out: 0 });
    await expectKept(task.task_id, frames, words);
  });

  it('a reranking ends in one score for each document, the best first', async () => {
    const words = `a secret of ${randomUUID()}`;
    const task = work({ workload: 'rerank', query: words, documents: [words, 'b'] });
    const results = [
      { index: 0, relevance_score: -3.5 },
      { index: 1, relevance_score: 2.25 },
    ];
    const answer = { results, usage: { total_tokens: 30 } };
    const { end, frames, body } = await streamed(task, words, (run) => run.answer(answer));
    expect(body).toMatchObject({ query: words, documents: [words, 'b'] });
    const scores = [
      { index: 1, score: 2.25 },
      { index: 0, score: -3.5 },
    ];
    expect(end.data).toMatchObject({ tokens_in: 30, result: { scores } });
    await expectKept(task.task_id, frames, words);
  });

  it('a result of more than a mebibyte is an artifact, and the end names it', async () => {
    const words = `first of many, ${randomUUID()}`;
    const vectors = Array.from({ length: 64 }, (_, row) => Array.from({ length: 1024 }, (__, n) => (row + n) / 7));
    const task = work({ workload: 'embedding', inputs: [words, ...Array<string>(63).fill('x')] });
    const { end, frames } = await streamed(task, words, (run) => run.answer(embeddingOf(vectors)));
    expect(end.data).not.toHaveProperty('result');
    const artifact = await call(`${reader.url}/v2/artifacts/${String(end.data['artifact_id'])}`);
    expect(artifact.body).toMatchObject({ kind: 'other', content: { embeddings: vectors } });
    await expectKept(task.task_id, frames, words);
  });

  it('what a server was not started for ends with what it says', async () => {
    const words = randomUUID();
    const { end } = await streamed(work({ workload: 'embedding', inputs: [words] }), words, (run) =>
      run.refuse(501, 'This server does not support embeddings. Start it with `--embeddings`'),
    );
    expect(end).toMatchObject({
      event: 'error',
      data: {
        code: 'INVALID_PARAMS',
        retriable: false,
        message:
          'The engine refused the request: This server does not support embeddings. Start it with `--embeddings`',
      },
    });
    expect(engine.runsOf(words)).toHaveLength(1);
  });

  it('as much as a body holds goes through, and no more', async () => {
    const words = randomUUID();
    const text = 'x'.repeat(Math.floor((bodyLimit - 4096) / mostInputs) - 3);
    const task = work({ workload: 'embedding', inputs: [words, ...Array<string>(mostInputs - 1).fill(text)] });
    const vectors = Array.from({ length: mostInputs }, (_, n) => [n]);
    const { end } = await streamed(task, words, (run) => {
      expect(run.body['input']).toHaveLength(mostInputs);
      run.answer(embeddingOf(vectors));
    });
    expect(end.data).toMatchObject({ result: { embeddings: vectors } });
    const tooMany = { workload: 'rerank', query: 'q', documents: Array<string>(mostInputs + 1).fill('d') };
    expect(await refusal(tooMany)).toEqual([
      400,
      { code: 'INVALID_PARAMS', documents: `must have at most ${mostInputs} items` },
    ]);
    const tooLong = { workload: 'rerank', query: 'q', documents: ['d'.repeat(bodyLimit)] };
    expect(await refusal(tooLong)).toEqual([413, { code: 'PAYLOAD_TOO_LARGE' }]);
  });

  it('what no fitting engine can do is refused, by the field that asks for it', async () => {
    const bare = { model_ref: 'model-of-bare', prompt: 'p', max_tokens: 9 };
    expect(await refusal({ ...bare, sampling: { grammar: 'root ::= "a"', top_k: 3 } })).toEqual([
      400,
      {
        code: 'INVALID_PARAMS',
        'sampling.top_k': "openai can't do prompt with top_k",
        'sampling.grammar': "openai can't do prompt with grammar",
      },
    ]);
    expect(await refusal({ ...bare, seed: 1, determinism: 'strict' })).toMatchObject([
      400,
      { determinism: "openai can't do prompt with strict" },
    ]);
    const rerank = { workload: 'rerank', query: 'q', documents: ['d'] };
    expect(await refusal({ ...rerank, model_ref: 'model-of-bare' })).toMatchObject([
      400,
      { code: 'INVALID_PARAMS', workload: "openai can't do rerank" },
    ]);
    const pinned = { model_ref: 'shared', placement: { mode: 'pin', pin_pool_id: 'bare' } };
    expect(await refusal({ ...rerank, ...pinned })).toMatchObject([400, { workload: "openai can't do rerank" }]);
    expect(await refusal({ prompt: 'p', max_tokens: 9, sampler_profile_version: 'v9' })).toMatchObject([
      400,
      { sampler_profile_version: 'no pool that could take the task has v9; there is v1' },
    ]);
    expect(engine.runsOf('p')).toEqual([]);
    expect(plain.runsOf('p')).toEqual([]);
  });

  it('goes to a pool that can do it, where others could not', async () => {
    const placed = async (change: object): Promise<unknown> => {
      const placement = { mode: 'prefer', prefer_pools: ['bare'] };
      const task = work({ model_ref: 'shared', prompt: randomUUID(), max_tokens: 9, placement, ...change });
      const { body } = await submit(home.url, task);
      return (body as { pool_id: string }).pool_id;
    };
    expect(await placed({})).toBe('bare');
    expect(await placed({ sampling: { top_k: 3 } })).toBe('full');
    expect(await placed({ sampler_profile_version: 'v1' })).toBe('full');
    expect(await placed({ seed: 3, determinism: 'strict' })).toBe('full');
  });

  it('counts against budget and rate with all that the engine reads', async () => {
    const embedding = { workload: 'embedding', session_id: randomUUID(), inputs: ['12345678', '1234'] };
    const { headers } = await submit(home.url, work(embedding));
    expect(headers.get('x-budget-tokens-remaining')).toBe(String(tokenBudget - (12 + 2 * 4)));
    const large = { ...embedding, inputs: Array<string>(10).fill('x'.repeat(1000)) };
    expect(await refusal(large)).toMatchObject([
      429,
      { code: 'BUDGET_EXHAUSTED', inputs: expect.any(String) as string },
    ]);
    // At four bytes a token, the query once with each document.
    const documents = Array<string>(2000).fill('d');
    const rerank = { workload: 'rerank', query: 'q'.repeat(40_000), documents };
    expect(await refusal(rerank)).toMatchObject([
      400,
      { code: 'INVALID_PARAMS', documents: expect.any(String) as string },
    ]);
  });

  it('is known again by every word of its body', async () => {
    for (const [name, { model_ref: _, ...example }] of Object.entries(taskExamples)) {
      const task = work(example);
      const { body } = await submit(home.url, task);
      expect([name, (await submit(home.url, task)).body]).toEqual([name, body]);
      const other = { ...task, kv_hint: 'reuse' };
      expect(await call(`${home.url}/v2/tasks`, 'POST', other)).toMatchObject({ status: 409 });
    }
    const rerank = work({ workload: 'rerank', query: 'q', documents: ['a', 'b'] });
    await submit(home.url, rerank);
    const turned = { ...rerank, documents: ['b', 'a'] };
    expect(await call(`${home.url}/v2/tasks`, 'POST', turned)).toMatchObject({ status: 409 });
  });
});
