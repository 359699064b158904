import { bytesText } from '../provisioning/index.js';
import type { Gpu } from './gpus.js';

/**
 * Whether a model fits into the free memory of its GPUs, by its weights alone; the context needs more on top. Null when it may fit, else the
 * reason with the numbers.
 */
export function vramShortage(
  modelBytes: number,
  gpus: readonly Gpu[],
  devices: readonly number[] | undefined,
): string | null {
  const used = devices === undefined ? gpus : gpus.filter((gpu) => devices.includes(gpu.index));
  if (used.length === 0) return null;
  const free = used.reduce((sum, gpu) => sum + gpu.vramFreeBytes, 0);
  if (modelBytes <= free) return null;
  const names = used.map((gpu) => `GPU ${gpu.index} ${gpu.name} has ${bytesText(gpu.vramFreeBytes)} free`).join(', ');
  return `The model is ${bytesText(modelBytes)}, and ${names}. Free memory there, name other devices, or take a smaller quantisation.`;
}
