import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, cancel, Deployment } from '../support/deployment.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine, type ScriptedRun } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient, type StreamEvent } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const idleMs = 3000;

describe('an answer whose engine is lost in the middle', () => {
  let engines: [ScriptedEngine, ScriptedEngine];
  let all: Deployment;
  let api: RunningOrchestrator;
  let other: RunningOrchestrator;

  beforeAll(async () => {
    engines = await Promise.all([ScriptedEngine.start({ slots: 4 }), ScriptedEngine.start({ slots: 4 })]);
    all = await Deployment.create({
      engines: engines.map(({ url }) => url),
      pool: {
        timeouts: { idle_ms: idleMs, connect_ms: 1000, wall_ms: 60_000 },
        circuit: { failures: 1000 },
      },
      config: { worker: { max_continuations: 3 } },
    });
    [api, other] = await Promise.all([all.start(['api', 'worker']), all.start(['api'])]);
  });

  afterEach(() => {
    for (const engine of engines) engine.onRun = () => undefined;
  });

  afterAll(async () => {
    await all.drop();
    await Promise.all(engines.map((engine) => engine.die()));
  });

  const runsOf = (prompt: string): ScriptedRun[] => engines.flatMap((engine) => engine.runsOf(prompt));
  /** @param before a run of the same prompt that is not meant */
  const anyRun = (prompt: string, before?: ScriptedRun): Promise<ScriptedRun> =>
    waitUntil(`a run of «${prompt}»`, () => runsOf(prompt).find((run) => run !== before));
  const textOf = (reader: SseClient): string => reader.tokens.map(({ data }) => data['t']).join('');
  const endOf = async (reader: SseClient): Promise<StreamEvent> => expectWholeStream(await reader.untilEnd());

  /** A task whose reader, at the other api process, has seen three tokens. */
  async function answering(change: Record<string, unknown> = {}) {
    const task = aTask(change);
    const reader = await SseClient.post(other.url, task);
    const run = await anyRun(task.prompt);
    run.tokens(3);
    await reader.untilTokens(3);
    return { task, reader, run, longer: `${task.prompt} t0 t1 t2` };
  }

  async function untilSlots(total: number): Promise<void> {
    for (const { url } of [api, other]) {
      await waitUntil(`${total} slots at ${url}`, async () => {
        const { body } = await call(`${url}/v2/pools/default`);
        return (body as { slots: { total: number } }).slots.total === total;
      });
    }
  }

  async function allBack(): Promise<void> {
    await Promise.all(engines.map((engine) => engine.comeBack()));
    await untilSlots(8);
  }

  it.each([
    ['hangs up', (run: ScriptedRun) => run.cut()],
    ['reports an error', (run: ScriptedRun) => run.breakInside(500, 'GPU lost')],
    ['sends what is no JSON', (run: ScriptedRun) => run.raw('data: {"content": \n\n')],
  ])('because it %s goes on at another replica from its text: one stream, and counts of the whole', async (_, fail) => {
    const { task, reader, run, longer } = await answering({ max_tokens: 9 });
    fail(run);
    const next = await anyRun(longer);
    expect(next.body).toMatchObject({ n_predict: 6 });
    next.tokens(2);
    next.end();
    expect(await endOf(reader)).toMatchObject({
      event: 'end',
      data: { tokens_in: 3, tokens_out: 5, finish_reason: 'stop' },
    });
    expect(textOf(reader)).toBe(' t0 t1 t2 t0 t1');
    expect(engines.map((engine) => engine.runsOf(task.prompt).length + engine.runsOf(longer).length)).toEqual([1, 1]);
    await waitUntil('the record', async () => (await all.row(task.task_id))?.['state'] === 'completed');
    expect((await call(`${api.url}/v2/tasks/${task.task_id}`)).body).toMatchObject({ attempts: 2, tokens_out: 5 });
    const late = await SseClient.read(api.url, task.task_id, { lastEventId: reader.events[3]?.id ?? 0 });
    await late.untilEnd();
    expect([...reader.events.slice(0, 4), ...late.events]).toEqual(reader.events);
  });

  it('is told to verbose readers, and counts as its first token what came first', async () => {
    const { task, run, longer } = await answering();
    run.cut();
    const next = await anyRun(longer);
    next.tokens(1);
    next.end();
    const reader = await SseClient.read(api.url, task.task_id, { verbose: true });
    const end = expectWholeStream(await reader.untilEnd());
    const told = reader.events.filter(({ event }) => event === 'metrics').map(({ data }) => data);
    expect(told.map((data) => data['first_token_ms'])).toEqual([end.data['first_token_ms'], undefined]);
    expect(told[1]?.['human']).toContain('goes on');
    expect(told[1]?.['replica_id']).not.toBe(told[0]?.['replica_id']);
  });

  it('is generated again where it has a seed, and shown from where it was broken off, wherever pieces are cut', async () => {
    const { task, reader, run } = await answering({ seed: 7, sampling: { json_schema: {} } });
    run.cut();
    const again = await anyRun(task.prompt, run);
    expect(again.body).toEqual(run.body);
    const pieces = [' t0 t', '1', ' t2 t3', ' t4'];
    again.tokens(pieces.length, (index) => pieces[index] ?? '');
    again.end('limit');
    expect(await endOf(reader)).toMatchObject({ data: { tokens_in: 3, tokens_out: 4, finish_reason: 'length' } });
    expect(textOf(reader)).toBe(' t0 t1 t2 t3 t4');
    expect(reader.tokens.slice(3).map(({ data }) => data['t'])).toEqual([' t3', ' t4']);
  });

  it.each([
    ['comes out otherwise', (run: ScriptedRun) => run.tokens(3, (index) => ` ${'tux'[index]}${index}`)],
    ['ends before it is there', (run: ScriptedRun) => (run.tokens(2), run.end())],
  ])('ends with WORKER_RESET where the same request %s', async (_, answer) => {
    const { task, reader, run } = await answering({ seed: 7 });
    run.cut();
    const again = await anyRun(task.prompt, run);
    answer(again);
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'WORKER_RESET', retriable: true } });
    expect(textOf(reader)).toBe(' t0 t1 t2');
    expect(runsOf(task.prompt)).toHaveLength(2);
  });

  it.each([
    ['a grammar', { sampling: { grammar: 'root ::= "a"' } }],
    ['a stop text that may have begun', { sampling: { stop: ['t2 and'] } }],
  ])('ends with WORKER_RESET at once under %s', async (_, change) => {
    const { task, reader, run, longer } = await answering(change);
    run.cut();
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'WORKER_RESET', retriable: true } });
    expect([...runsOf(task.prompt), ...runsOf(longer)]).toHaveLength(1);
  });

  it('ends with its end where only that is missing', async () => {
    const { task, reader, run, longer } = await answering({ max_tokens: 3 });
    run.cut();
    const end = { tokens_in: 3, tokens_out: 3, finish_reason: 'length' };
    expect(await endOf(reader)).toMatchObject({ event: 'end', data: end });
    expect([...runsOf(task.prompt), ...runsOf(longer)]).toHaveLength(1);
  });

  it('ends with WORKER_RESET, not with a refusal, where the longer prompt is too long', async () => {
    const { reader, run, longer } = await answering();
    run.cut();
    (await anyRun(longer)).refuse(400, 'the request exceeds the available context size');
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'WORKER_RESET', retriable: true } });
  });

  it('goes on so many times and no more, each time from where the last one came to', async () => {
    const { task, reader, run, longer } = await answering();
    let prompt = longer;
    run.cut();
    for (let time = 0; time < 3; time++) {
      const next = await anyRun(prompt);
      next.tokens(1, () => ` x${time}`);
      await reader.untilTokens(4 + time);
      prompt += ` x${time}`;
      next.cut();
    }
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'WORKER_RESET', retriable: true } });
    expect(textOf(reader)).toBe(' t0 t1 t2 x0 x1 x2');
    expect(runsOf(prompt)).toEqual([]);
    expect((await call(`${api.url}/v2/tasks/${task.task_id}`)).body).toMatchObject({ attempts: 4 });
  });

  it('can be canceled while it waits for a replica, and its receipt holds', async () => {
    const { task, reader, longer } = await answering();
    await Promise.all(engines.map((engine) => engine.die()));
    const isBrokenOff = (line: string): boolean => line.includes('task broken off') && line.includes(task.task_id);
    await waitUntil('it to be broken off', () => api.logs().split('\n').find(isBrokenOff));
    const answer = await cancel(other.url, task.task_id);
    const id = Number(answer.headers.get('x-last-event-id'));
    expect(await endOf(reader)).toMatchObject({ id, event: 'end', data: { canceled: true, tokens_out: 3 } });
    await allBack();
    const next = await answering();
    next.run.end();
    await next.reader.untilEnd();
    expect(runsOf(longer)).toEqual([]);
  });

  it('waits for the only replica to come back, and no longer than for a silent engine', async () => {
    const back = await answering();
    await Promise.all(engines.map((engine) => engine.die()));
    await engines[0].comeBack();
    const next = await anyRun(back.longer);
    next.tokens(1);
    next.end();
    expect(await endOf(back.reader)).toMatchObject({ event: 'end', data: { tokens_out: 4 } });
    await untilSlots(4);
    const gone = await answering();
    await engines[0].die();
    expect(await endOf(gone.reader)).toMatchObject({ event: 'error', data: { code: 'WORKER_RESET', retriable: true } });
    await allBack();
  });

  it('has one deadline over all attempts', async () => {
    const { reader, run, longer } = await answering({ deadline_ms: 3000 });
    run.cut();
    (await anyRun(longer)).tokens(1);
    expect(await endOf(reader)).toMatchObject({ event: 'error', data: { code: 'DECODE_TIMEOUT' } });
    expect(reader.tokens).toHaveLength(4);
  });

  it('never goes on at an engine of another version: it is kept out of the pool, which says why', async () => {
    const [, second] = engines;
    second.version = 'b2-scripted';
    await untilSlots(4);
    const { body } = await call(`${api.url}/v2/pools/default`);
    const { replicas } = body as { replicas: { ready: boolean; last_error: string | null }[] };
    expect(replicas).toMatchObject([{ ready: true, last_error: null }, { ready: false }]);
    expect(replicas[1]?.last_error).toContain('b2-scripted');
    second.version = 'b1-scripted';
    await untilSlots(8);
  });
});
