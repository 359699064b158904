import { availableParallelism } from 'node:os';
import { childEnvironment, type Environment, type PreparedEngine, type PresentModel } from '../provisioning/index.js';

/** The process that wraps node-llama-cpp. */
export interface EngineHostProgram {
  /** The Node to run it with. */
  readonly node: string;
  /** Path of the built engine host, `dist/bundled/engine-host.js`. */
  readonly script: string;
}

/** What one engine process is to serve. */
export interface EngineRun {
  readonly engine: PreparedEngine;
  readonly model: PresentModel;
  readonly alias: string;
  readonly port: number;
  /** Context of one task, in tokens; undefined: the model's own, at most 8192. */
  readonly ctx: number | undefined;
  readonly slots: number;
  readonly devices: readonly number[] | undefined;
}

export interface EngineCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The program ends by itself when its standard input ends. */
  readonly endsWithInput: boolean;
  /** Context of one task, in tokens. */
  readonly ctx: number;
  readonly deviceMask: string | null;
}

/** A model trained for a million tokens would ask for more memory than there is, unasked. */
const LARGEST_DEFAULT_CTX = 8192;
const CTX_OF_THE_SILENT = 4096;
/** More than any model has: all of them, or a clear failure. Layers left on the CPU would be silently slow. */
const ALL_LAYERS = 999;

/** The command line and environment of an engine; both engines take llama-server's flags, whose `--ctx-size` counts all slots together. */
export function engineCommand(run: EngineRun, host: EngineHostProgram, environment: Environment): EngineCommand {
  const ctx = run.ctx ?? Math.min(run.model.header.contextLength ?? CTX_OF_THE_SILENT, LARGEST_DEFAULT_CTX);
  const onGpu = run.engine.gpu !== false;
  const common = [
    '--model',
    run.model.path,
    '--alias',
    run.alias,
    '--host',
    '127.0.0.1',
    '--port',
    String(run.port),
    '--ctx-size',
    String(ctx * run.slots),
    '--parallel',
    String(run.slots),
    '--n-gpu-layers',
    String(onGpu ? ALL_LAYERS : 0),
    ...(onGpu ? [] : ['--threads', String(Math.max(1, availableParallelism() - 1))]),
  ];
  const shared = { environment: engineEnvironment(run.devices, environment), ctx, deviceMask: deviceMask(run.devices) };
  if (run.engine.kind === 'llama-server') {
    const own = ['--metrics', '--slots', '--no-webui', ...(onGpu ? [] : ['--device', 'none'])];
    return { program: run.engine.location, args: [...common, ...own], endsWithInput: false, ...shared };
  }
  const own = ['--library', run.engine.location, '--gpu', gpuFlag(run.engine), '--exit-with-parent'];
  return { program: host.node, args: [host.script, ...common, ...own], endsWithInput: true, ...shared };
}

/** `CUDA_VISIBLE_DEVICES` for these indexes; null: no mask. */
export function deviceMask(devices: readonly number[] | undefined): string | null {
  return devices === undefined ? null : devices.join(',');
}

function gpuFlag(engine: PreparedEngine): string {
  if (engine.gpu === false) return 'false';
  return engine.gpu === 'any' ? 'auto' : engine.gpu;
}

function engineEnvironment(devices: readonly number[] | undefined, environment: Environment): Record<string, string> {
  const child = childEnvironment(environment);
  const mask = deviceMask(devices);
  if (mask === null) return child;
  return {
    ...child,
    CUDA_VISIBLE_DEVICES: mask,
    // CUDA counts the fastest card first by default, nvidia-smi by bus: without this an index means two cards.
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    GGML_VK_VISIBLE_DEVICES: mask,
  };
}
