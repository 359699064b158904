import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { childEnvironment, type Environment } from '../child-environment.js';

export interface LlamaServerFacts {
  readonly path: string;
  /** The build number it prints, `b6123`; null when it prints none. */
  readonly version: string | null;
  /** GPUs that this build can use. */
  readonly gpuDevices: number;
}

/** What planning an engine needs to know about this machine; plain data, so that every machine can be written down in a test. */
export interface MachineFacts {
  readonly os: string;
  readonly cpu: string;
  /** Prebuilt engines need glibc. */
  readonly musl: boolean;
  /** Indexes as nvidia-smi counts. */
  readonly nvidiaGpus: readonly number[];
  /** Why there are none, or which there are, for messages. */
  readonly nvidiaDetail: string;
  /** Newest CUDA runtime in the linker's path that a prebuilt engine is linked against. */
  readonly cudaRuntime: 12 | 13 | null;
  readonly vulkanLoader: boolean;
  /** Devices under /dev/dri that can compute. */
  readonly renderNodes: number;
  readonly metal: boolean;
  readonly llamaServer: LlamaServerFacts | null;
}

/** What nvidia-smi said; the caller asks it, because it also watches memory. */
export interface NvidiaFacts {
  readonly indexes: readonly number[];
  readonly detail: string;
}

/** Looks at this machine: reads the linker cache and /dev/dri, and asks llama-server on PATH what it is. Never throws. */
export async function discoverMachine(environment: Environment, nvidia: NvidiaFacts): Promise<MachineFacts> {
  const [libraries, renderNodes, llamaServer] = await Promise.all([
    linkerCache(),
    countRenderNodes(),
    findLlamaServer(environment),
  ]);
  return {
    os: process.platform,
    cpu: process.arch,
    musl: process.platform === 'linux' && !hasGlibc(),
    nvidiaGpus: nvidia.indexes,
    nvidiaDetail: nvidia.detail,
    cudaRuntime: cudaRuntimeOf(libraries),
    vulkanLoader: libraries.includes('libvulkan.so.1'),
    renderNodes,
    metal: process.platform === 'darwin' && process.arch === 'arm64',
    llamaServer,
  };
}

/** Reads a listing of `ldconfig -p`. cuBLAS counts too: the runtime alone can't load the engine. */
export function cudaRuntimeOf(libraries: string): 12 | 13 | null {
  for (const major of [13, 12] as const)
    if (libraries.includes(`libcudart.so.${major}`) && libraries.includes(`libcublas.so.${major}`)) return major;
  return null;
}

/** Reads `llama-server --version` (standard error): `version: 6123 (ab12cd3)`, newer ones `version: 0.7.0 (build 11669, commit …)`. */
export function llamaServerVersion(text: string): string | null {
  const build = /version:.*\bbuild (\d+)/.exec(text)?.[1] ?? /version:\s*(\d+) /.exec(text)?.[1];
  // A build outside of its repository counts 0.
  return build === undefined || build === '0' ? null : `b${build}`;
}

/** Counts the lines below `Available devices:` of `llama-server --list-devices`. */
export function llamaServerGpus(text: string): number {
  const listed = text.split(/^Available devices:\s*$/m)[1] ?? '';
  return listed.split('\n').filter((line) => /^\s+(?:CUDA|Vulkan|ROCm|HIP|Metal|SYCL|MUSA|CANN|OpenCL)\w*:/i.test(line))
    .length;
}

async function findLlamaServer(environment: Environment): Promise<LlamaServerFacts | null> {
  const path = await onPath('llama-server', environment);
  if (path === null) return null;
  const [version, devices] = await Promise.all([
    ask(path, ['--version'], environment),
    ask(path, ['--list-devices'], environment),
  ]);
  return { path, version: llamaServerVersion(version), gpuDevices: llamaServerGpus(devices) };
}

async function onPath(command: string, environment: Environment): Promise<string | null> {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, command);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== '' && isThere) return path;
  }
  return null;
}

async function ask(command: string, args: readonly string[], environment: Environment): Promise<string> {
  const result = await execa(command, args, {
    env: childEnvironment(environment),
    extendEnv: false,
    reject: false,
    timeout: 20_000,
    all: true,
    stdin: 'ignore',
  });
  return result.all ?? '';
}

async function linkerCache(): Promise<string> {
  for (const command of ['/sbin/ldconfig', '/usr/sbin/ldconfig', 'ldconfig']) {
    const result = await execa(command, ['-p'], { reject: false, timeout: 10_000, stdin: 'ignore' });
    if (result.exitCode === 0) return result.stdout;
  }
  return '';
}

async function countRenderNodes(): Promise<number> {
  const names = await readdir('/dev/dri').catch(() => []);
  return names.filter((name) => name.startsWith('renderD')).length;
}

function hasGlibc(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
}
