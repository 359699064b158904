import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { atMost } from './checks.mjs';

const count = 10_000;
const atOnce = 64;
const prompt = 'x'.repeat(1000);

async function usedBytes(redis) {
  // Twice the same is at rest: tasks that were accepted leave nothing more to write.
  for (let before = -1; ;) {
    const now = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    if (Math.abs(now - before) < 20_000) return now;
    before = now;
    await sleep(1000);
  }
}

async function submitAll(base, request, amount) {
  let sent = 0;
  const next = async () => {
    while (sent < amount) {
      sent += 1;
      const answer = await fetch(`${base}/v2/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request()),
      });
      if (answer.status !== 202) throw new Error(`a task was not accepted: ${answer.status} ${await answer.text()}`);
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

export const queueMemory = {
  name: 'queue-memory',
  title: `memory of Redis: ${count} waiting tasks with prompts of ${prompt.length} bytes`,
  async run(workplace) {
    if (!workplace.hasServer) return { rows: [], checks: [], facts: [] };
    const store = await workplace.startRedis();
    const url = `redis://127.0.0.1:${store.port}`;
    const engine = await workplace.startEngine(['--slots', '1', '--tokens-per-s', '1']);
    const server = await workplace.bootServer(engine.port, 1, { REDIS_URL: url });
    const redis = new Redis(url);
    workplace.onClose(async () => redis.disconnect());
    const base = `http://127.0.0.1:${server.port}`;
    const request = () => ({ workload: 'completion', model_ref: 'default', prompt, max_tokens: 256 });
    await submitAll(base, request, 100); // Scripts, sums and the first pages of every structure.
    const before = await usedBytes(redis);
    await submitAll(base, request, count);
    const each = ((await usedBytes(redis)) - before) / count;
    return {
      rows: [],
      facts: [`a waiting task with its prompt of ${prompt.length} bytes: ${each.toFixed(0)} bytes of Redis`],
      checks: [atMost('memory of a waiting task beside its prompt', each - prompt.length, 2048, 'bytes')],
    };
  },
};
