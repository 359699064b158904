import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeGguf, type GgufValue } from '../../../src/modules/provisioning/demo-model/gguf-file.js';
import type { Handoff } from '../../../src/modules/pool-manager/handoff.js';
import { HandoffModels } from '../../../src/modules/pool-manager/handoff-models.js';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'handoff-models-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function handoff(path: string | undefined, change: Partial<Handoff> = {}): Handoff {
  const model = path === undefined ? null : { id: 'm', path };
  return { engine: 'llamacpp', url: 'http://127.0.0.1:1', pool_id: 'p', replica_id: 'r', slots: 1, model, ...change };
}

/** A model file of so many layers with one head of 8. */
async function model(name: string, layers: number): Promise<string> {
  const path = join(directory, name);
  const whole = (value: number): GgufValue => ({ type: 'uint32', value });
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['llama.block_count', whole(layers)],
    ['llama.embedding_length', whole(8)],
    ['llama.attention.head_count', whole(1)],
  ]);
  await writeFile(path, encodeGguf({ metadata, tensors: [] }));
  return path;
}

/** Asks, and once more when something new was read. */
async function asked(models: { of: HandoffModels; news: () => Promise<void> }, one: Handoff): Promise<number | null> {
  const news = models.news();
  const first = models.of.kvBytesPerToken(one);
  if (first !== null) return first;
  await news;
  return models.of.kvBytesPerToken(one);
}

function watched() {
  let tell: () => void = () => undefined;
  const of = new HandoffModels(() => tell());
  const news = (): Promise<void> =>
    new Promise((resolve) => {
      tell = resolve;
    });
  return { of, news };
}

it('tells what the model of a handoff takes for a token, by the element types of its flags', async () => {
  const models = watched();
  const path = await model('a.gguf', 3);
  expect(models.of.kvBytesPerToken(handoff(path))).toBeNull();
  expect(await asked(models, handoff(path))).toBe(3 * 2 * 8 * 2);
  expect(models.of.kvBytesPerToken(handoff(path, { flags: ['-ctk', 'f32', '-ctv', 'f32'] }))).toBe(3 * 2 * 8 * 4);
  // Of other engines such flags say something else.
  expect(models.of.kvBytesPerToken(handoff(path, { engine: 'openai', flags: ['-ctk', 'f32'] }))).toBe(3 * 2 * 8 * 2);
});

it('reads a file again when it has changed, and keeps what it knew when it is gone', async () => {
  const models = watched();
  const path = await model('b.gguf', 1);
  expect(await asked(models, handoff(path))).toBe(32);
  await model('b.gguf', 200);
  const news = models.news();
  expect(models.of.kvBytesPerToken(handoff(path))).toBe(32);
  await news;
  expect(models.of.kvBytesPerToken(handoff(path))).toBe(6400);
  await rm(path);
  models.of.kvBytesPerToken(handoff(path));
  // Whatever was read meanwhile: another file is read behind it.
  const other = watched();
  await asked(other, handoff(await model('c.gguf', 1)));
  expect(models.of.kvBytesPerToken(handoff(path))).toBe(6400);
});

it('knows nothing of what is no model file, and of paths that are not absolute', () => {
  const models = watched();
  for (const path of [undefined, 'a.gguf', '/dev/zero', '/nowhere/a.gguf'])
    expect(models.of.kvBytesPerToken(handoff(path))).toBeNull();
});

it('forgets files that no handoff names any more', async () => {
  const models = watched();
  const path = await model('d.gguf', 1);
  expect(await asked(models, handoff(path))).toBe(32);
  models.of.keepOnly([handoff(path)]);
  expect(models.of.kvBytesPerToken(handoff(path))).toBe(32);
  models.of.keepOnly([]);
  expect(models.of.kvBytesPerToken(handoff(path))).toBeNull();
});
