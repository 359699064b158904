import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAiCompletion } from '../conformance/dialects/openai.js';
import { aTask, call, Deployment, submit } from '../support/deployment.js';
import { expectDocumented } from '../support/openapi.js';
import type { RunningOrchestrator } from '../support/orchestrator.js';
import { expectWholeStream, SseClient } from '../support/sse-client.js';
import { waitUntil } from '../support/wait-until.js';

const key = 'sk-a-very-secret-key';
const texts = ['Once', ' upon', ' a', ' time'];

/** A server of OpenAI's API that wants a key. */
class KeyedServer {
  readonly bodies: Record<string, unknown>[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      void text(request).then((body) => {
        if (request.headers.authorization !== `Bearer ${key}`) {
          const error = { message: `Incorrect API key provided: ${request.headers.authorization}`, code: null };
          response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
        } else if (request.url === '/v1/models') {
          response.end(JSON.stringify({ object: 'list', data: [{ id: 'org/model', object: 'model' }] }));
        } else {
          this.bodies.push(JSON.parse(body) as Record<string, unknown>);
          for (const event of openAiCompletion.stream({ texts, tokensIn: 6, finish: 'length' })) response.write(event);
          response.end();
        }
      });
    });
  }

  static async start(): Promise<KeyedServer> {
    const keyed = new KeyedServer();
    await new Promise<void>((resolve) => keyed.server.listen(0, '127.0.0.1', resolve));
    return keyed;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}

describe('a pool of an OpenAI-compatible server', () => {
  let engine: KeyedServer;
  let all: Deployment;
  let home: RunningOrchestrator;

  beforeAll(async () => {
    engine = await KeyedServer.start();
    all = await Deployment.create({
      engines: [engine.url],
      pool: {
        engine: { id: 'openai', api_key_env: 'CLOUD_KEY', kv_allocation: 'per_request' },
        model: { ref: 'hf:org/model@main', kv_bytes_per_token: 2 ** 20 },
        slots: 2,
      },
      env: { CLOUD_KEY: key },
    });
    home = await all.start(['api', 'worker']);
  });

  afterAll(async () => {
    await all.drop();
    await engine.stop();
  });

  it('runs tasks with the key and the name of the model, and shows the key nowhere', async () => {
    const task = aTask({ max_tokens: 4, seed: 3, sampling: { temperature: 0.5 } });
    const reader = await SseClient.post(home.url, task);
    expect(expectWholeStream(await reader.untilEnd())).toMatchObject({
      event: 'end',
      data: { tokens_in: 6, tokens_out: 4, finish_reason: 'length' },
    });
    expect(reader.tokens.map(({ data }) => data['t'])).toEqual(texts);
    expect(engine.bodies).toMatchObject([
      { model: 'org/model', prompt: task.prompt, max_tokens: 4, seed: 3, temperature: 0.5 },
    ]);
    const { body } = await call(`${home.url}/v2/pools/default`);
    expect(body).toMatchObject({ engine: 'openai', ready: true, slots: { total: 2 } });
    expect(JSON.stringify(body) + home.logs()).not.toContain(key);
  });

  it('takes what its GPU has memory for, and everything while nobody knows how much is free', async () => {
    const read = async (task: ReturnType<typeof aTask>): Promise<unknown> =>
      ((await call(`${home.url}/v2/tasks/${task.task_id}`)).body as { placement: { reasons: string[] } }).placement
        .reasons;
    const unknown = aTask({ max_tokens: 4 });
    await submit(home.url, unknown);
    const passed = 'whether GPU memory for its KV cache is free there is not known, so it was let pass';
    expect(await read(unknown)).toContain(passed);
    // As told by a process beside the engine.
    const memory = JSON.stringify([80 * 2 ** 30, 100 * 2 ** 20, Date.now() + 60_000]);
    await all.redis?.hset('{orchd}:gpu-memory:default', 'r0', memory);
    const large = aTask({ max_tokens: 101 });
    const refused = await waitUntil('it to be refused', async () => {
      const answer = await call(`${home.url}/v2/tasks?dry_run=true`, 'POST', large);
      return (answer.body as { outcome: string }).outcome === 'refused'
        ? call(`${home.url}/v2/tasks`, 'POST', large)
        : null;
    });
    expectDocumented('POST', '/v2/tasks', refused);
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'POOL_UNREADY', message: expect.stringMatching(/takes 1\d\d MiB, .*has 100 MiB free/) as string },
    });
    const small = aTask({ max_tokens: 4 });
    await submit(home.url, small);
    expect(await read(small)).toEqual(['it is the only pool that can take the task']);
    const { body } = await call(`${home.url}/v2/pools/default`);
    expect(body).toMatchObject({ replicas: [{ vram_free_bytes: 100 * 2 ** 20, kv_bytes_per_token: 2 ** 20 }] });
  });

  it('says what is wrong when its key is', async () => {
    const locked = await all.start(['api', 'worker'], { env: { CLOUD_KEY: 'sk-wrong-key' } });
    const pool = await waitUntil('the pool to have been looked at', async () => {
      const { body } = await call(`${locked.url}/v2/pools/default`);
      return (body as { last_error: string | null }).last_error === null ? null : body;
    });
    expect(pool).toMatchObject({ ready: false, last_error: expect.stringContaining('api_key_env') as string });
    const answer = await call(`${locked.url}/v2/tasks`, 'POST', aTask());
    expect(answer).toMatchObject({ status: 503, body: { code: 'POOL_UNREADY' } });
    expect(JSON.stringify([pool, answer.body]) + locked.logs()).not.toContain('sk-wrong-key');
  });
});
