import { bytesText } from '../provisioning/index.js';
import type { Gpu } from './gpus.js';

/** The KV cache an engine sets aside when it starts. */
export interface WantedCache {
  /** 0: not known, or an upper bound only. */
  readonly bytesPerToken: number;
  /** Tokens of one slot. */
  readonly ctx: number;
  readonly slots: number;
}

/**
 * Whether a model and its KV cache fit into the free memory of its GPUs. Null when they may fit, else the reason with the numbers. What the
 * engine computes in needs some more.
 */
export function vramShortage(
  modelBytes: number,
  cache: WantedCache,
  gpus: readonly Gpu[],
  devices: readonly number[] | undefined,
): string | null {
  const used = devices === undefined ? gpus : gpus.filter((gpu) => devices.includes(gpu.index));
  if (used.length === 0) return null;
  const cacheBytes = cache.bytesPerToken * cache.ctx * cache.slots;
  const free = used.reduce((sum, gpu) => sum + gpu.vramFreeBytes, 0);
  if (modelBytes + cacheBytes <= free) return null;
  const kept = `its KV cache ${bytesText(cacheBytes)} (slots: ${cache.slots}, each of ${cache.ctx} tokens)`;
  const model = `The model is ${bytesText(modelBytes)}${cacheBytes === 0 ? '' : `, ${kept}`}`;
  const names = used.map((gpu) => `GPU ${gpu.index} ${gpu.name} has ${bytesText(gpu.vramFreeBytes)} free`).join(', ');
  const less = modelBytes <= free ? 'a smaller ctx, fewer slots, or a smaller quantisation' : 'a smaller quantisation';
  return `${model}, and ${names}. Free memory there, name other devices, or take ${less}.`;
}
