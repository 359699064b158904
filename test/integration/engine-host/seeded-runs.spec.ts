import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoVocabulary } from '../../../src/modules/provisioning/demo-model/vocabulary.js';
import { demoTensors, SHAPE } from '../../../src/modules/provisioning/demo-model/weights.js';
import { type RunningEngineHost, startEngineHost } from '../../support/engine-host.js';

interface Answer {
  content: string;
  timings: { prompt_n: number; cache_n: number };
}

const slots = [0, 1, 2, 3];
/** Longer than one batch. */
const long = 'the old stone bridge by the river '.repeat(100);
const run = { n_predict: 100, temperature: 0, seed: 42, cache_prompt: false };

let host: RunningEngineHost;

/** All of them run greedily on a model whose choices hang on the last bits of its numbers. */
describe.each(['off', 'on'])('a run with a seed, flash attention %s', (flashAttention) => {
  const args = ['--flash-attn', flashAttention];

  beforeAll(async () => {
    host = await startEngineHost({ slots: slots.length, ctx: slots.length * 2048, change: withTwins, args });
  });

  afterAll(async () => {
    await host.stop();
  });

  it.each([
    ['runs without a seed', {}],
    ['runs with a seed', { seed: 7 }],
  ])('gives the same text in every slot, alone and beside %s', async (_, wish) => {
    const alone = await complete({ ...run, prompt: 'a calm morning' });
    for (const id_slot of slots) {
      const neighbours = await Promise.all(
        slots.filter((slot) => slot !== id_slot).map((slot) => generate({ ...wish, id_slot: slot })),
      );
      const beside = await complete({ ...run, prompt: 'a calm morning', id_slot });
      expect(await busySlots()).toBe(neighbours.length);
      for (const neighbour of neighbours) await neighbour.body?.cancel();
      expect(beside.content).toBe(alone.content);
    }
  });

  it.each([
    ['without a seed', {}],
    ['with a seed', { seed: 7 }],
  ])('gives the same text while prompts are read %s', async (_, wish) => {
    const alone = await complete({ ...run, prompt: 'a calm morning' });
    let isOver = false;
    const beside = complete({ ...run, prompt: 'a calm morning', id_slot: 0 }).finally(() => (isOver = true));
    let read = 0;
    for (; !isOver; read += 1) await complete({ ...wish, prompt: long, n_predict: 1, id_slot: 1, cache_prompt: false });
    expect(read).toBeGreaterThan(1);
    expect((await beside).content).toBe(alone.content);
  });

  it('gives the same text for a prompt of several batches that is read beside others', async () => {
    const alone = await complete({ ...run, prompt: long });
    for (const odd of [0, 1]) {
      const together = await Promise.all(
        slots.map((id_slot) => {
          const neighbour = { prompt: `so ${long}`, id_slot, n_predict: 50, cache_prompt: false };
          return complete(id_slot % 2 === odd ? { ...run, prompt: long, id_slot } : neighbour);
        }),
      );
      const seeded = together.filter((_, slot) => slot % 2 === odd);
      expect(seeded.map(({ content }) => content)).toEqual([alone.content, alone.content]);
    }
  });

  it('takes from the cache only what it would have computed itself', async () => {
    const alone = await complete({ ...run, prompt: long, id_slot: 0 });
    const cached = { ...run, prompt: long, id_slot: 0, cache_prompt: true };
    expect(await complete(cached)).toMatchObject({ content: alone.content, timings: { cache_n: 512 } });
    await complete({ prompt: long, n_predict: 1, id_slot: 0, cache_prompt: false });
    expect(await complete(cached)).toMatchObject({ content: alone.content, timings: { cache_n: 0 } });
  });
});

describe('a run with a seed, on another host with fewer slots', () => {
  it('gives the same text, and another for another seed', async () => {
    const hosts = await Promise.all([startEngineHost({ slots: 4, ctx: 8192 }), startEngineHost()]);
    const [first, other] = hosts.map(({ url }) => url);
    const request = { prompt: 'a calm morning', n_predict: 120, temperature: 0.9, seed: 42, cache_prompt: false };
    const { content } = await complete({ ...request, id_slot: 3 }, first);
    expect(await complete(request, other)).toMatchObject({ content });
    expect((await complete({ ...request, seed: 43 }, other)).content).not.toBe(content);
    await Promise.all(hosts.map((running) => running.stop()));
  });
});

/** The demo model with each second word nearly as likely as the one before it: rounding decides which of them comes. */
function withTwins(gguf: Buffer): Buffer {
  const vocabulary = demoVocabulary();
  const { data = new Float32Array() } = demoTensors(vocabulary).find(({ name }) => name === 'output.weight') ?? {};
  const bytes = Buffer.from(data.buffer);
  const start = gguf.indexOf(bytes.subarray(0, 1024));
  const words = vocabulary.flatMap(({ kind }, token) => (kind === 'word' ? [token] : []));
  const changed = Buffer.from(gguf);
  for (let pair = 0; pair + 1 < words.length; pair += 2) {
    for (let column = 0; column < SHAPE.embedding; column += 1) {
      const weight = data[(words[pair] ?? 0) * SHAPE.embedding + column] ?? 0;
      const other = weight + (column % 2 === 0 ? 1 : -1) * 1e-7;
      changed.writeFloatLE(other, start + 4 * ((words[pair + 1] ?? 0) * SHAPE.embedding + column));
    }
  }
  return changed;
}

async function complete(body: object, url = host.url): Promise<Answer> {
  const response = await fetch(`${url}/completion`, { method: 'POST', body: JSON.stringify(body) });
  return (await response.json()) as Answer;
}

/** Resolves when the run has begun; it goes on until its slot is full or its stream is cancelled. */
async function generate(wish: object): Promise<Response> {
  const body = { prompt: 'the river', temperature: 1, stream: true, ...wish };
  return fetch(`${host.url}/completion`, { method: 'POST', body: JSON.stringify(body) });
}

async function busySlots(): Promise<number> {
  const found = (await (await fetch(`${host.url}/slots`)).json()) as { is_processing: boolean }[];
  return found.filter((slot) => slot.is_processing).length;
}
