import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aTask, call, Deployment, submit, type Answer } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { ScriptedEngine } from '../support/scripted-engine.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

interface ReplicaView {
  readonly id: string;
  readonly url: string;
  readonly ready: boolean;
  readonly state: string;
  readonly slots: { readonly total: number };
  readonly last_error: string | null;
}

describe('engines that register', () => {
  let engines: [ScriptedEngine, ScriptedEngine];
  let all: Deployment;
  let api: RunningOrchestrator;
  let other: RunningOrchestrator;

  beforeAll(async () => {
    engines = await Promise.all([ScriptedEngine.start({ slots: 2 }), ScriptedEngine.start({ slots: 2 })]);
    all = await Deployment.create({
      engines: [],
      pool: { engine: { id: 'llamacpp' }, model: { ref: 'scripted', checksum: `sha256:${'a'.repeat(64)}` } },
      config: { registration: { forget_after_ms: 3000 } },
    });
    // No process both admits and works.
    [api, other] = await Promise.all([all.start(['api']), all.start(['api'])]);
    await all.start(['worker']);
  });

  afterEach(async () => {
    for (const { id } of await replicas(api)) await call(`${api.url}/v2/workers/default/${id}`, 'DELETE');
    for (const engine of engines) Object.assign(engine, { onRun: () => undefined, selfTest: 'passes', version: 'b1' });
  });

  afterAll(async () => {
    await all.drop();
    await Promise.all(engines.map((engine) => engine.die()));
  });

  async function register(change: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    const body = { pool_id: 'default', replica_id: 'a', engine: 'llamacpp', url: engines[0].url, slots: 4, ...change };
    const answer = await call(`${api.url}/v2/workers/register`, 'POST', body);
    expectDocumented('POST', '/v2/workers/register', answer);
    return answer;
  }

  async function replicas({ url }: RunningOrchestrator): Promise<ReplicaView[]> {
    const answer = await call(`${url}/v2/pools/default`);
    expectDocumented('GET', '/v2/pools/{id}', answer);
    return (answer.body as { replicas: ReplicaView[] }).replicas;
  }

  async function replica(id: string, of = api): Promise<ReplicaView | undefined> {
    return (await replicas(of)).find((each) => each.id === id);
  }

  async function untilReady(id = 'a', of = api): Promise<void> {
    await waitUntil(`replica ${id} to be ready`, async () => {
      const found = await replica(id, of);
      if (found?.ready !== true) throw new Error(JSON.stringify(found));
      return true;
    });
  }

  async function untilError(id: string, reason: string): Promise<void> {
    await waitUntil(`the reason «${reason}»`, async () => {
      const found = await replica(id);
      if (found?.last_error?.includes(reason) !== true) throw new Error(JSON.stringify(found));
      return true;
    });
  }

  it('take tasks once they have passed a self-test, seen by every process', async () => {
    engines[0].selfTest = 'stalls';
    const before = { ...engines[0].selfTests };
    expect(await register({ url: `${engines[0].url}/` })).toMatchObject({
      status: 200,
      body: { ok: true, identity: 'localhost', pool_id: 'default', replica_id: 'a' },
    });
    await waitUntil('the self-test', () => engines[0].selfTests.asked > before.asked);
    expect(await replica('a')).toMatchObject({ ready: false, state: 'starting', url: engines[0].url });
    const refused = await call(`${api.url}/v2/tasks`, 'POST', aTask());
    expect(refused).toMatchObject({ status: 503, body: { code: 'POOL_UNREADY' } });
    engines[0].selfTest = 'passes';
    await engines[0].die(); // The test that stalls is cut off, and the next one goes well.
    await engines[0].comeBack();
    await Promise.all([untilReady('a', api), untilReady('a', other)]);
    expect(engines[0].selfTests.brokenOff).toBe(before.brokenOff + 1);
    expect(await replica('a')).toMatchObject({ state: 'ready', slots: { total: 2 }, last_error: null });
    const task = aTask();
    await submit(other.url, task);
    (await engines[0].run(task.prompt)).end();
    await all.untilState(task.task_id, 'completed');
  });

  it('move to another address in one step, while streams at the old one go on', async () => {
    await register();
    await untilReady();
    const long = aTask();
    const reader = await SseClient.post(api.url, long);
    const run = await engines[0].run(long.prompt);
    run.tokens(2);
    await reader.untilTokens(2);
    expect((await register({ url: engines[1].url })).status).toBe(200);
    // Each hears of it a moment later, and until then shows it ready at its old address.
    await waitUntil('both to show it ready at its new address', async () => {
      const seen = await Promise.all([replicas(api), replicas(other)]);
      return seen.every(([first]) => first?.url === engines[1].url && first.ready);
    });
    expect(await replicas(other)).toMatchObject([{ id: 'a', url: engines[1].url }]);
    const task = aTask();
    await submit(other.url, task);
    (await engines[1].run(task.prompt)).end();
    await all.untilState(task.task_id, 'completed');
    run.tokens(1);
    run.end();
    expect(expectWholeStream(await reader.untilEnd()).event).toBe('end');
    expect(reader.tokens).toHaveLength(3);
    expect(engines[0].runsOf(task.prompt)).toEqual([]);
  });

  it.each([
    ['another engine', { engine: 'openai' }, 'it is openai, and the pool wants llamacpp'],
    ['another model', { model: { ref: 'x', digest: `sha256:${'b'.repeat(64)}` } }, 'its model digest is'],
    ['another sampler profile', { sampler_profile_version: 'v9' }, 'its sampler profile is v9'],
    ['another version than was said', { engine_version: 'b2' }, 'the engine says b1'],
  ])('as what they are not stay out: %s', async (_, change, reason) => {
    engines[0].version = 'b1';
    expect((await register(change)).status).toBe(200);
    await untilError('a', reason);
    expect(await replica('a')).toMatchObject({ ready: false, state: 'failed' });
    expect((await register()).status).toBe(200);
    await untilReady();
  });

  it('with another version than most of the pool stay out until they agree', async () => {
    engines[0].version = 'b1';
    engines[1].version = 'b2';
    await register();
    await untilReady();
    await register({ replica_id: 'b', url: engines[1].url });
    await untilError('b', 'b2, and most');
    expect(await replica('a')).toMatchObject({ ready: true });
    engines[1].version = 'b1';
    await untilReady('b', other);
  });

  it('and fail their self-test say why, and are tested again', async () => {
    engines[0].selfTest = 'fails';
    await register();
    await untilError('a', 'CUDA error');
    expect(await replica('a')).toMatchObject({ ready: false, state: 'failed' });
    engines[0].selfTest = 'passes';
    await untilReady();
  });

  it('are known after a restart, and forgotten when they are deleted', async () => {
    await register();
    await untilReady();
    const later = await all.start(['api']);
    await untilReady('a', later);
    const can = await call(`${later.url}/v2/meta/capabilities`);
    expectDocumented('GET', '/v2/meta/capabilities', can);
    const said = { id: 'a', ready: true, engine_version: engines[0].version, ctx_max: 8192, slots: 2 };
    expect(can.body).toMatchObject({ pools: [{ id: 'default', ready: true, ctx_max: 8192, replicas: [said] }] });
    await later.stop();
    for (const status of [204, 204]) {
      const answer = await call(`${api.url}/v2/workers/default/a`, 'DELETE');
      expect(answer.status).toBe(status);
      expectDocumented('DELETE', '/v2/workers/{pool_id}/{replica_id}', answer);
    }
    expect(await replicas(api)).toEqual([]);
    await waitUntil('the other to know', async () => (await replicas(other)).length === 0);
  });

  it('are tested again when Redis has lost everything, and stay registered', async () => {
    await register();
    await untilReady();
    const { asked } = engines[0].selfTests;
    await all.redis?.flushall();
    await waitUntil('another self-test', () => engines[0].selfTests.asked > asked);
    // A process may take it for ready from before, and then hear that it is to be tested.
    for (const each of [api, other])
      await waitUntil('it to be ready again', async () => {
        const found = await replica('a', each);
        return found?.ready === true && found.last_error === null;
      });
    expect((await replicas(other)).map(({ id }) => id)).toEqual(['a']);
  });

  it('and have been away for too long are forgotten; those that answer stay', async () => {
    await register();
    await register({ replica_id: 'b', url: engines[1].url });
    await Promise.all([untilReady('a'), untilReady('b')]);
    await engines[1].die();
    try {
      await waitUntil('it to be forgotten', async () => (await replica('b', other)) === undefined);
    } finally {
      await engines[1].comeBack();
    }
    expect(await replica('a', other)).toMatchObject({ ready: true });
  });

  it.each([
    ['an unknown pool', { pool_id: 'nowhere' }, 404, 'NOT_FOUND'],
    ['a password in the URL', { url: 'http://me:hunter2@127.0.0.1:1' }, 400, 'INVALID_PARAMS'],
    ['the address of cloud metadata', { url: 'http://169.254.169.254' }, 400, 'INVALID_PARAMS'],
    ['another scheme', { url: 'file:///etc/passwd' }, 400, 'INVALID_PARAMS'],
    ['an engine nobody knows', { engine: 'skynet' }, 400, 'INVALID_PARAMS'],
    ['no slots', { slots: 0 }, 400, 'INVALID_PARAMS'],
    ['a field nobody knows', { slot: 1 }, 400, 'INVALID_PARAMS'],
  ])('with %s are refused', async (_, change, status, code) => {
    const answer = await register(change);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    expect(await replicas(api)).toEqual([]);
  });
});
