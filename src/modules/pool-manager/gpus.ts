import { execa } from 'execa';
import { childEnvironment, type Environment } from '../provisioning/index.js';

/** One GPU, as nvidia-smi sees it. */
export interface Gpu {
  readonly index: number;
  readonly name: string;
  /** `GPU-…`, by which `CUDA_VISIBLE_DEVICES` may name it, too. */
  readonly uuid: string;
  readonly vramTotalBytes: number;
  readonly vramFreeBytes: number;
  /** Percent; null where the card does not tell (MIG). */
  readonly utilization: number | null;
  readonly driver: string;
}

export type GpuDiscovery =
  { readonly available: true; readonly gpus: readonly Gpu[] } | { readonly available: false; readonly reason: string };

/** Order of the columns asked for. */
const QUERY = 'index,name,memory.total,memory.free,utilization.gpu,driver_version,uuid';
const MEBIBYTE = 1_048_576;

/** Asks nvidia-smi for the GPUs of this machine; never throws, says why there are none instead. */
export async function discoverGpus(environment: Environment, command = 'nvidia-smi'): Promise<GpuDiscovery> {
  const result = await execa(command, [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits'], {
    env: childEnvironment(environment),
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: 10_000,
  });
  if (result.code === 'ENOENT') return { available: false, reason: `${command} is not on PATH` };
  if (result.timedOut) return { available: false, reason: `${command} did not answer within 10 s` };
  if (result.failed) return { available: false, reason: firstLine(result.stdout || result.stderr, command) };
  const gpus = parseGpus(result.stdout);
  return gpus.length === 0 ? { available: false, reason: `${command} lists no GPU` } : { available: true, gpus };
}

/** Reads nvidia-smi's CSV. Lines it can't read (a lost card says `[Unknown Error]`) are left out: that card is not there to be used. */
export function parseGpus(csv: string): Gpu[] {
  const gpus: Gpu[] = [];
  for (const line of csv.split('\n')) {
    const [index, name, total, free, utilization, driver, uuid] = line.split(',').map((field) => field.trim());
    if (!isCount(index) || !isCount(total) || !isCount(free) || name === undefined) continue;
    gpus.push({
      index: Number(index),
      name,
      uuid: uuid ?? '',
      vramTotalBytes: Number(total) * MEBIBYTE,
      vramFreeBytes: Number(free) * MEBIBYTE,
      utilization: isCount(utilization) ? Number(utilization) : null,
      driver: driver ?? '',
    });
  }
  return gpus;
}

/**
 * The GPUs that an engine with this `CUDA_VISIBLE_DEVICES` may use; null: all. `isWhole`: every part of the mask was found among them. A MIG
 * part names no whole card and is not found; a beginning of a UUID is.
 */
export function gpusUnder(mask: string | null, gpus: readonly Gpu[]): { found: Gpu[]; isWhole: boolean } {
  if (mask === null) return { found: [...gpus], isWhole: gpus.length > 0 };
  const parts = mask.split(',').map((part) => part.trim());
  const isNamed = ({ index, uuid }: Gpu, part: string): boolean =>
    part === String(index) || (part.startsWith('GPU-') && uuid.startsWith(part));
  const found = gpus.filter((gpu) => parts.some((part) => isNamed(gpu, part)));
  return { found, isWhole: parts.every((part) => found.some((gpu) => isNamed(gpu, part))) };
}

function isCount(field: string | undefined): field is string {
  return field !== undefined && /^\d+$/.test(field);
}

function firstLine(text: string, command: string): string {
  return text.trim().split('\n')[0]?.trim() || `${command} failed`;
}
