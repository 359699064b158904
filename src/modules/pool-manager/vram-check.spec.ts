import { expect, it } from 'vitest';
import type { Gpu } from './gpus.js';
import { vramShortage } from './vram-check.js';

const gib = 2 ** 30;
const gpu = (index: number, freeGib: number): Gpu => ({
  index,
  name: 'RTX',
  uuid: `GPU-${index}`,
  vramTotalBytes: 24 * gib,
  vramFreeBytes: freeGib * gib,
  utilization: 0,
  driver: '550',
});
const none = { bytesPerToken: 0, ctx: 8192, slots: 4 };
const cache = { ...none, bytesPerToken: 131_072 };

it('lets a model start whose weights and KV cache fit into what is free on its devices', () => {
  expect(vramShortage(4 * gib, cache, [gpu(0, 8)], undefined)).toBeNull();
  expect(vramShortage(12 * gib, cache, [gpu(0, 8), gpu(1, 8)], [0, 1])).toBeNull();
});

it('names weights, KV cache and what is free when they do not fit', () => {
  expect(vramShortage(5 * gib, cache, [gpu(0, 8), gpu(1, 24)], [0])).toMatch(
    /^The model is .+, its KV cache .+ \(slots: 4, each of 8192 tokens\), and GPU 0 RTX has .+ free\. .+smaller ctx/,
  );
});

it('goes by the weights alone where the cache is not known', () => {
  expect(vramShortage(8 * gib, none, [gpu(0, 8)], undefined)).toBeNull();
  expect(vramShortage(9 * gib, none, [gpu(0, 8)], undefined)).toMatch(/^The model is [^,]+, and GPU 0/);
});

it('asks nothing where no GPU is seen', () => {
  expect(vramShortage(9 * gib, cache, [], undefined)).toBeNull();
});
