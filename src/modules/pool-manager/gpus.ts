import { execa } from 'execa';
import { childEnvironment, type Environment } from '../provisioning/index.js';

/** One GPU, as nvidia-smi sees it. */
export interface Gpu {
  readonly index: number;
  readonly name: string;
  readonly vramTotalBytes: number;
  readonly vramFreeBytes: number;
  /** Percent; null where the card does not tell (MIG). */
  readonly utilization: number | null;
  readonly driver: string;
}

export type GpuDiscovery =
  { readonly available: true; readonly gpus: readonly Gpu[] } | { readonly available: false; readonly reason: string };

/** Order of the columns asked for. */
const QUERY = 'index,name,memory.total,memory.free,utilization.gpu,driver_version';
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
    const [index, name, total, free, utilization, driver] = line.split(',').map((field) => field.trim());
    if (!isCount(index) || !isCount(total) || !isCount(free) || name === undefined) continue;
    gpus.push({
      index: Number(index),
      name,
      vramTotalBytes: Number(total) * MEBIBYTE,
      vramFreeBytes: Number(free) * MEBIBYTE,
      utilization: isCount(utilization) ? Number(utilization) : null,
      driver: driver ?? '',
    });
  }
  return gpus;
}

function isCount(field: string | undefined): field is string {
  return field !== undefined && /^\d+$/.test(field);
}

function firstLine(text: string, command: string): string {
  return text.trim().split('\n')[0]?.trim() || `${command} failed`;
}
