import { describe, expect, it } from 'vitest';
import type { PreparedEngine, PresentModel } from '../provisioning/index.js';
import { engineCommand, type EngineRun } from './engine-command.js';

const host = { node: '/usr/bin/node', script: '/app/dist/bundled/engine-host.js' };
const model: PresentModel = {
  path: '/models/x.gguf',
  name: 'x.gguf',
  bytes: 1,
  sha256: null,
  digestChecked: false,
  header: {
    version: 3,
    tensorCount: 1,
    metadataCount: 1,
    architecture: 'llama',
    contextLength: 131_072,
    kv: null,
    bytes: 1,
  },
};
const npmEngine: PreparedEngine = {
  kind: 'node-llama-cpp',
  version: '3.22.1',
  gpu: 'cuda',
  platform: 'linux-x64-cuda',
  location: '/data/engines/n',
};
const run: EngineRun = { engine: npmEngine, model, alias: 'x', port: 4711, ctx: 4096, slots: 4, devices: [1, 0] };

describe('engineCommand', () => {
  it('runs the engine host on the named devices, which it ends with us', () => {
    const command = engineCommand(run, host, { PATH: '/bin', HF_TOKEN: 'x' });
    expect(command).toMatchObject({ program: host.node, endsWithInput: true, ctx: 4096, deviceMask: '1,0' });
    expect(command.args.join(' ')).toBe(
      '/app/dist/bundled/engine-host.js --model /models/x.gguf --alias x --host 127.0.0.1 --port 4711 --ctx-size 16384 --parallel 4 --n-gpu-layers 999 --library /data/engines/n --gpu cuda --exit-with-parent',
    );
    expect(command.environment).toEqual({
      PATH: '/bin',
      CUDA_VISIBLE_DEVICES: '1,0',
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      GGML_VK_VISIBLE_DEVICES: '1,0',
    });
  });

  it('leaves the choice of devices to the engine where none are named', () => {
    const command = engineCommand({ ...run, devices: undefined }, host, { PATH: '/bin' });
    expect(command).toMatchObject({ deviceMask: null, environment: { PATH: '/bin' } });
  });

  it('keeps llama-server off the GPU where the CPU is wanted', () => {
    const engine: PreparedEngine = {
      kind: 'llama-server',
      version: 'b1',
      gpu: false,
      platform: null,
      location: '/usr/bin/llama-server',
    };
    const command = engineCommand({ ...run, engine, devices: [] }, host, {});
    expect(command).toMatchObject({ program: '/usr/bin/llama-server', endsWithInput: false, deviceMask: '' });
    expect(command.args.join(' ')).toMatch(/--n-gpu-layers 0 --threads \d+ .*--device none/);
  });

  it.each([
    [131_072, 8192],
    [2048, 2048],
    [null, 4096],
  ])('defaults the context to the model’s %s, within reason: %i', (contextLength, ctx) => {
    const silent = { ...model, header: { ...model.header, contextLength } };
    expect(engineCommand({ ...run, ctx: undefined, model: silent }, host, {}).ctx).toBe(ctx);
  });
});
