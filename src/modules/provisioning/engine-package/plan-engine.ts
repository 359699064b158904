import { join } from 'node:path';
import type { ProvisioningProblem } from '../provisioning.errors.js';
import { bytesText } from '../progress.js';
import type { MachineFacts } from './machine-facts.js';
import { builds, NODE_LLAMA_CPP_VERSION, type EnginePlatform } from './node-llama-cpp-package.js';

/** What a pool asks of its engine, and what the operator allows. */
export interface EngineWish {
  /** Forces one package; undefined: llama-server when it is on PATH and fits, else node-llama-cpp. */
  readonly packageName: 'llama-server' | 'node-llama-cpp' | undefined;
  /** Exact version wanted; null: any. */
  readonly version: string | null;
  /** GPU indexes; [] means the CPU; undefined: whatever the machine has. */
  readonly devices: readonly number[] | undefined;
  readonly gpuPolicy: 'required' | 'allowed-cpu';
  readonly mayInstall: boolean;
  /** Folder that prepared engines live in. */
  readonly enginesDir: string;
  /** Builds that were tried on this machine and can't run on its GPU. */
  readonly unfit: readonly EnginePlatform[];
}

export type GpuKind = 'cuda' | 'vulkan' | 'metal' | 'any' | false;

export interface LlamaServerPlan {
  readonly kind: 'llama-server';
  readonly command: string;
  readonly version: string | null;
  readonly gpu: GpuKind;
  readonly steps: readonly string[];
}

export interface NodeLlamaCppPlan {
  readonly kind: 'node-llama-cpp';
  readonly version: string;
  readonly platform: EnginePlatform;
  readonly gpu: GpuKind;
  /** Where the prepared engine lies, or will. */
  readonly directory: string;
  readonly mayInstall: boolean;
  readonly steps: readonly string[];
}

export interface RefusedPlan {
  readonly kind: 'refused';
  readonly problem: ProvisioningProblem;
  readonly message: string;
}

export type EnginePlan = LlamaServerPlan | NodeLlamaCppPlan | RefusedPlan;

/** Decides which engine a pool gets on this machine. Same wish and facts, same plan; touches nothing. */
export function planEngine(wish: EngineWish, machine: MachineFacts): EnginePlan {
  const gpu = wantsGpu(wish, machine);
  if (typeof gpu !== 'boolean') return gpu;
  const onPath = machine.llamaServer;
  if (wish.packageName === 'llama-server') return planLlamaServer(wish, machine, gpu);
  if (
    wish.packageName === undefined &&
    onPath !== null &&
    (!gpu || onPath.gpuDevices > 0) &&
    fits(wish, onPath.version)
  )
    return planLlamaServer(wish, machine, gpu);
  return planNodeLlamaCpp(wish, machine, gpu);
}

/** The plan as lines for a terminal or a log. */
export function planText(plan: EnginePlan): string {
  return plan.kind === 'refused' ? `refused: ${plan.message}` : plan.steps.join('\n');
}

function wantsGpu(wish: EngineWish, machine: MachineFacts): boolean | RefusedPlan {
  const hasGpu = machine.nvidiaGpus.length > 0 || machine.metal || (machine.vulkanLoader && machine.renderNodes > 0);
  if (wish.devices?.length === 0) return onTheCpu(wish);
  if (!hasGpu && (wish.gpuPolicy === 'required' || wish.devices !== undefined)) return noGpu(wish, machine);
  return unknownGpus(wish, machine) ?? hasGpu;
}

function onTheCpu(wish: EngineWish): false | RefusedPlan {
  if (wish.gpuPolicy === 'allowed-cpu') return false;
  return refused(
    'refused-by-policy',
    'devices: [] asks for the CPU, which policy.gpu: required refuses. Set policy.gpu: allowed-cpu, or name the GPUs in devices.',
  );
}

function noGpu(wish: EngineWish, machine: MachineFacts): RefusedPlan {
  const asked = wish.devices === undefined ? 'policy.gpu: required' : `devices: [${wish.devices.join(', ')}]`;
  return refused(
    'no-gpu',
    `${asked} needs a GPU and none was found (${machine.nvidiaDetail}). Install the driver so that \`nvidia-smi\` answers, or set policy.gpu: allowed-cpu and devices: [] to run on the CPU.`,
  );
}

/** Indexes can be checked only where nvidia-smi counts; other GPUs are counted by the engine. */
function unknownGpus(wish: EngineWish, machine: MachineFacts): RefusedPlan | null {
  if (machine.nvidiaGpus.length === 0) return null;
  const missing = (wish.devices ?? []).filter((index) => !machine.nvidiaGpus.includes(index));
  if (missing.length === 0) return null;
  return refused(
    'no-gpu',
    `devices names GPU ${missing.join(', ')}, but nvidia-smi lists ${machine.nvidiaGpus.join(', ')}. Correct devices.`,
  );
}

/** Whether a GPU that no engine here can use may be passed over: only where nobody asked for it. */
function mayFallBack(wish: EngineWish): boolean {
  return wish.gpuPolicy === 'allowed-cpu' && wish.devices === undefined;
}

function fits(wish: EngineWish, version: string | null): boolean {
  return wish.version === null || wish.version === version;
}

function planLlamaServer(wish: EngineWish, machine: MachineFacts, gpu: boolean): EnginePlan {
  const found = machine.llamaServer;
  if (found === null)
    return refused(
      'not-found',
      'package.name: llama-server, but there is no llama-server on PATH. Install llama.cpp, or set package.name: node-llama-cpp.',
    );
  if (!fits(wish, found.version))
    return refused(
      'not-found',
      `engine.version ${wish.version ?? ''} is wanted, but ${found.path} is version ${found.version ?? 'unknown'}. Install the wanted one, or set engine.version: null.`,
    );
  const usesGpu = gpu && found.gpuDevices > 0;
  if (gpu && !usesGpu && !mayFallBack(wish))
    return refused(
      'no-gpu',
      `${found.path} lists no GPU (llama-server --list-devices): it would decode on the CPU. Install a build with CUDA or Vulkan, or set policy.gpu: allowed-cpu and devices: [].`,
    );
  return {
    kind: 'llama-server',
    command: found.path,
    version: found.version,
    gpu: usesGpu ? 'any' : false,
    steps: [`use ${found.path} (version ${found.version ?? 'unknown'}) on ${usesGpu ? 'the GPU' : 'the CPU'}`],
  };
}

function planNodeLlamaCpp(wish: EngineWish, machine: MachineFacts, gpu: boolean): EnginePlan {
  if (!fits(wish, NODE_LLAMA_CPP_VERSION))
    return refused(
      'not-found',
      `engine.version ${wish.version ?? ''} is wanted; package mode carries node-llama-cpp ${NODE_LLAMA_CPP_VERSION}. Set engine.version: null, or attach an engine of your own with provisioning.mode: external.`,
    );
  const onCpu = (): EnginePlatform | null => (mayFallBack(wish) ? fittingPlatform(wish, machine, false) : null);
  const platform = fittingPlatform(wish, machine, gpu) ?? onCpu();
  if (platform === null) return gpu ? noGpuBuild(wish, machine) : refused('unsupported-platform', noBuild(machine));
  const directory = join(wish.enginesDir, `node-llama-cpp-${NODE_LLAMA_CPP_VERSION}-${platform}`);
  const build = builds[platform];
  const packages = build.packages.map((name) => `@node-llama-cpp/${name}`).join(', ');
  return {
    kind: 'node-llama-cpp',
    version: NODE_LLAMA_CPP_VERSION,
    platform,
    gpu: build.gpu,
    directory,
    mayInstall: wish.mayInstall,
    steps: [
      `install node-llama-cpp ${NODE_LLAMA_CPP_VERSION} with ${packages} from the npm registry (about ${bytesText(build.bytes)} on disk), no install scripts${wish.mayInstall ? '' : ' — only if it is there already: policy.allow_package_installs is false'}`,
      `keep it in ${directory}`,
      `decode on ${build.gpu === false ? 'the CPU' : build.gpu}`,
    ],
  };
}

function fittingPlatform(wish: EngineWish, machine: MachineFacts, gpu: boolean): EnginePlatform | null {
  const here = `${machine.os}-${machine.cpu}`;
  if (here === 'darwin-arm64') return 'mac-arm64-metal';
  if (gpu) return here === 'linux-x64' ? linuxGpuPlatform(wish, machine) : null;
  if (here === 'darwin-x64') return 'mac-x64';
  if (machine.musl) return null;
  if (here === 'linux-x64') return 'linux-x64';
  return here === 'linux-arm64' ? 'linux-arm64' : null;
}

/** CUDA before Vulkan, which is slower and runs on more. */
function linuxGpuPlatform({ unfit }: EngineWish, machine: MachineFacts): EnginePlatform | null {
  if (machine.musl) return null;
  const candidates: EnginePlatform[] = [];
  if (machine.nvidiaGpus.length > 0 && machine.cudaRuntime !== null)
    candidates.push(machine.cudaRuntime === 13 ? 'linux-x64-cuda' : 'linux-x64-cuda12');
  if (machine.vulkanLoader) candidates.push('linux-x64-vulkan');
  return candidates.find((platform) => !unfit.includes(platform)) ?? null;
}

function noGpuBuild({ unfit }: EngineWish, machine: MachineFacts): RefusedPlan {
  if (machine.os !== 'linux' || machine.cpu !== 'x64' || machine.musl)
    return refused('unsupported-platform', noBuild(machine));
  if (unfit.length > 0) return refused('no-gpu', noneRan(unfit, machine));
  return refused(
    'no-gpu',
    'There is a GPU, but neither the CUDA 12 or 13 runtime (libcudart, libcublas) nor the Vulkan loader (libvulkan.so.1) is in the linker path. Install one of them — on Debian: apt install libvulkan1 — or put a llama-server with GPU support on PATH.',
  );
}

function noneRan(unfit: readonly EnginePlatform[], machine: MachineFacts): string {
  const vulkan = machine.vulkanLoader
    ? ''
    : ' install the Vulkan loader, which brings another build into play (on Debian: apt install libvulkan1);';
  return `The GPU can't run ${unfit.join(', ')} of node-llama-cpp ${NODE_LLAMA_CPP_VERSION}; the log of the engine says why. Choose one:${vulkan} update the driver; put a llama-server that was built for this GPU on PATH and set package.name: llama-server; or set policy.gpu: allowed-cpu and devices: [] to run on the CPU.`;
}

function noBuild(machine: MachineFacts): string {
  const here = `${machine.os}-${machine.cpu}${machine.musl ? ' (musl)' : ''}`;
  return `npm carries no fitting llama.cpp build for ${here}. Put llama-server on PATH, or attach a running one with provisioning.mode: external.`;
}

function refused(problem: ProvisioningProblem, message: string): RefusedPlan {
  return { kind: 'refused', problem, message };
}
