import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachineFacts } from './machine-facts.js';
import { planEngine, planText, type EngineWish } from './plan-engine.js';

const cpuOnly: MachineFacts = {
  os: 'linux',
  cpu: 'x64',
  musl: false,
  nvidiaGpus: [],
  nvidiaDetail: 'nvidia-smi is not on PATH',
  cudaRuntime: null,
  vulkanLoader: false,
  renderNodes: 0,
  metal: false,
  llamaServer: null,
};
const cuda: MachineFacts = { ...cpuOnly, nvidiaGpus: [0, 1], nvidiaDetail: 'nvidia-smi lists 2', cudaRuntime: 13 };
const server = { path: '/usr/bin/llama-server', version: 'b6123', gpuDevices: 2 };

const wish: EngineWish = {
  packageName: undefined,
  version: null,
  devices: undefined,
  gpuPolicy: 'required',
  mayInstall: true,
  enginesDir: '/data/engines',
  unfit: [],
};
const onCpu: EngineWish = { ...wish, gpuPolicy: 'allowed-cpu', devices: [] };

describe('planEngine', () => {
  it.each([
    ['CUDA 13', wish, cuda, 'linux-x64-cuda', 'cuda'],
    ['CUDA 12', wish, { ...cuda, cudaRuntime: 12 as const }, 'linux-x64-cuda12', 'cuda'],
    [
      'a GPU without the CUDA runtime',
      wish,
      { ...cuda, cudaRuntime: null, vulkanLoader: true },
      'linux-x64-vulkan',
      'vulkan',
    ],
    ['a GPU of another maker', wish, { ...cpuOnly, vulkanLoader: true, renderNodes: 1 }, 'linux-x64-vulkan', 'vulkan'],
    ['the CPU, asked for', onCpu, cuda, 'linux-x64', false],
    ['the CPU, nothing else there', { ...wish, gpuPolicy: 'allowed-cpu' as const }, cpuOnly, 'linux-x64', false],
    [
      'Vulkan, where the CUDA build was tried in vain',
      { ...wish, unfit: ['linux-x64-cuda' as const] },
      { ...cuda, vulkanLoader: true },
      'linux-x64-vulkan',
      'vulkan',
    ],
    [
      'the CPU, where no build ran and nobody asked for the GPU',
      { ...wish, gpuPolicy: 'allowed-cpu' as const, unfit: ['linux-x64-cuda' as const] },
      cuda,
      'linux-x64',
      false,
    ],
    ['ARM', onCpu, { ...cpuOnly, cpu: 'arm64' }, 'linux-arm64', false],
    ['Apple silicon', wish, { ...cpuOnly, os: 'darwin', cpu: 'arm64', metal: true }, 'mac-arm64-metal', 'metal'],
    ['an Intel Mac', onCpu, { ...cpuOnly, os: 'darwin' }, 'mac-x64', false],
  ])('takes the npm build for %s', (_, wanted, machine, platform, gpu) => {
    expect(planEngine(wanted, machine)).toMatchObject({
      kind: 'node-llama-cpp',
      platform,
      gpu,
      directory: `/data/engines/node-llama-cpp-3.22.1-${platform}`,
    });
  });

  it('says what else may be done where no build ran on the GPU', () => {
    const tried = { ...wish, unfit: ['linux-x64-cuda' as const] };
    expect(planEngine(tried, cuda)).toMatchObject({
      kind: 'refused',
      problem: 'no-gpu',
      message: expect.stringMatching(/can't run linux-x64-cuda .* apt install libvulkan1/) as string,
    });
    const both = { ...wish, unfit: ['linux-x64-cuda' as const, 'linux-x64-vulkan' as const] };
    const plan = planEngine(both, { ...cuda, vulkanLoader: true });
    expect(plan).toMatchObject({ kind: 'refused', message: expect.stringContaining('update the driver') as string });
    expect(plan).not.toMatchObject({ message: expect.stringContaining('libvulkan1') as string });
  });

  it('prefers a llama-server on PATH', () => {
    expect(planEngine(wish, { ...cuda, llamaServer: server })).toMatchObject({
      kind: 'llama-server',
      command: server.path,
      gpu: 'any',
    });
    expect(planEngine(onCpu, { ...cuda, llamaServer: server })).toMatchObject({ kind: 'llama-server', gpu: false });
  });

  it('passes over a llama-server that sees no GPU where one is wanted', () => {
    expect(planEngine(wish, { ...cuda, llamaServer: { ...server, gpuDevices: 0 } })).toMatchObject({
      kind: 'node-llama-cpp',
    });
  });

  it('falls back to the CPU where that is allowed, no device was named, and nothing can use the GPU', () => {
    const anyhow: EngineWish = { ...wish, gpuPolicy: 'allowed-cpu' };
    expect(planEngine(anyhow, { ...cuda, cudaRuntime: null })).toMatchObject({ platform: 'linux-x64', gpu: false });
    const machine = { ...cuda, llamaServer: { ...server, gpuDevices: 0 } };
    expect(planEngine({ ...anyhow, packageName: 'llama-server' }, machine)).toMatchObject({ gpu: false });
  });

  it('takes the forced package', () => {
    expect(planEngine({ ...wish, packageName: 'node-llama-cpp' }, { ...cuda, llamaServer: server })).toMatchObject({
      kind: 'node-llama-cpp',
    });
  });

  it.each([
    ['no GPU', wish, cpuOnly, 'no-gpu', 'policy.gpu: allowed-cpu'],
    ['no GPU, beside a llama-server', wish, { ...cpuOnly, llamaServer: server }, 'no-gpu', 'nvidia-smi is not on PATH'],
    [
      'the CPU against the policy',
      { ...wish, devices: [] },
      { ...cuda, llamaServer: server },
      'refused-by-policy',
      'allowed-cpu',
    ],
    [
      'a named GPU that is not there',
      { ...wish, gpuPolicy: 'allowed-cpu' as const, devices: [0] },
      cpuOnly,
      'no-gpu',
      'devices: [0]',
    ],
    ['a GPU index too high', { ...wish, devices: [0, 7] }, cuda, 'no-gpu', 'GPU 7'],
    [
      'no llama-server where it is forced',
      { ...wish, packageName: 'llama-server' as const },
      cuda,
      'not-found',
      'PATH',
    ],
    [
      'a forced llama-server without GPU',
      { ...wish, packageName: 'llama-server' as const },
      { ...cuda, llamaServer: { ...server, gpuDevices: 0 } },
      'no-gpu',
      '--list-devices',
    ],
    ['another version', { ...wish, version: '1.0' }, cuda, 'not-found', 'engine.version'],
    ['a GPU without any runtime', wish, { ...cuda, cudaRuntime: null }, 'no-gpu', 'libvulkan'],
    ['musl', onCpu, { ...cpuOnly, musl: true }, 'unsupported-platform', 'musl'],
    ['an unknown machine', onCpu, { ...cpuOnly, cpu: 's390x' }, 'unsupported-platform', 'linux-s390x'],
  ])('refuses %s with advice', (_, wanted, machine, problem, advice) => {
    const plan = planEngine(wanted, machine);
    expect(plan).toMatchObject({ kind: 'refused', problem });
    expect(planText(plan)).toContain(advice);
  });

  it('never decodes on the CPU where the policy requires a GPU, and always plans the same', () => {
    const facts = fc.record({
      os: fc.constantFrom('linux', 'darwin'),
      cpu: fc.constantFrom('x64', 'arm64'),
      musl: fc.boolean(),
      nvidiaGpus: fc.constantFrom([], [0], [0, 1]),
      nvidiaDetail: fc.constant('detail'),
      cudaRuntime: fc.constantFrom(null, 12 as const, 13 as const),
      vulkanLoader: fc.boolean(),
      renderNodes: fc.nat(2),
      metal: fc.boolean(),
      llamaServer: fc.constantFrom(null, server, { ...server, gpuDevices: 0 }),
    });
    const wishes = fc.record({
      packageName: fc.constantFrom(undefined, 'llama-server' as const, 'node-llama-cpp' as const),
      devices: fc.constantFrom(undefined, [], [0]),
      gpuPolicy: fc.constant('required' as const),
    });
    fc.assert(
      fc.property(wishes, facts, (part, machine) => {
        const plan = planEngine({ ...wish, ...part }, machine);
        expect(plan).toEqual(planEngine({ ...wish, ...part }, machine));
        expect(plan.kind === 'refused' || plan.gpu !== false).toBe(true);
      }),
    );
  });
});
