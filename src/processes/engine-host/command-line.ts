import { parseArgs } from 'node:util';

export type GpuChoice = 'auto' | 'cuda' | 'vulkan' | 'metal' | false;

export interface EngineHostOptions {
  modelPath: string;
  /** Folder whose `node_modules` holds node-llama-cpp. */
  libraryDir: string;
  host: string;
  /** 0 lets the system choose. */
  port: number;
  /** Tokens over all slots; 0 stands for the model's training context. */
  contextSize: number;
  slots: number;
  alias: string | undefined;
  gpu: GpuChoice;
  /** Layers to offload; undefined lets the library fit as many as the GPU holds. */
  gpuLayers: number | undefined;
  /** CPU threads; undefined lets the host choose. */
  threads: number | undefined;
  flashAttention: 'auto' | 'on' | 'off';
  exitWithParent: boolean;
}

/** The command line can't be understood; the message is one line for the operator. */
export class CommandLineError extends Error {}

const GPU_CHOICES: ReadonlyMap<string, GpuChoice> = new Map<string, GpuChoice>([
  ['auto', 'auto'],
  ['cuda', 'cuda'],
  ['vulkan', 'vulkan'],
  ['metal', 'metal'],
  ['false', false],
]);

/**
 * Reads the flags of the host, which are llama-server's where both have one.
 * Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md ("Usage").
 */
export function parseCommandLine(args: readonly string[]): EngineHostOptions {
  const flags = readFlags(args);
  const gpu = GPU_CHOICES.get(flags.gpu ?? 'auto');
  if (gpu === undefined) throw new CommandLineError(`--gpu takes one of ${[...GPU_CHOICES.keys()].join(', ')}`);
  return {
    modelPath: required(flags.model, '--model PATH'),
    libraryDir: required(flags.library, '--library DIR'),
    host: flags.host ?? '127.0.0.1',
    port: integer('--port', flags.port, 0, 65_535) ?? 8080,
    contextSize: integer('--ctx-size', flags['ctx-size'], 0) ?? 0,
    slots: integer('--parallel', flags.parallel, 1, 256) ?? 1,
    alias: flags.alias,
    gpu,
    gpuLayers: integer('--n-gpu-layers', flags['n-gpu-layers'], 0),
    threads: integer('--threads', flags.threads, 1, 1024),
    flashAttention: flashAttention(flags['flash-attn']),
    exitWithParent: flags['exit-with-parent'] ?? false,
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        model: { type: 'string', short: 'm' },
        library: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        'ctx-size': { type: 'string', short: 'c' },
        parallel: { type: 'string' },
        alias: { type: 'string', short: 'a' },
        'n-gpu-layers': { type: 'string' },
        threads: { type: 'string', short: 't' },
        gpu: { type: 'string' },
        'flash-attn': { type: 'string' },
        'exit-with-parent': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new CommandLineError(error instanceof Error ? error.message : String(error));
  }
}

function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') throw new CommandLineError(`${flag} is missing`);
  return value;
}

function integer(flag: string, value: string | undefined, min: number, max = 2 ** 31 - 1): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) {
    throw new CommandLineError(`${flag} takes a whole number from ${min} to ${max}, not "${value}"`);
  }
  return number;
}

function flashAttention(value = 'auto'): 'auto' | 'on' | 'off' {
  if (value === 'auto' || value === 'on' || value === 'off') return value;
  throw new CommandLineError('--flash-attn takes auto, on or off');
}
