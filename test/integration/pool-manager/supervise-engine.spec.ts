import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PoolManager, ReplicaAnnouncement } from '../../../src/modules/pool-manager/index.js';
import { readHandoff } from '../../../src/modules/pool-manager/handoff.js';
import { bundle } from './bundle.js';
import { Fixture, isRunning } from './fixture.js';

const WAIT = { timeout: 30_000, interval: 20 };

describe('supervising an engine', () => {
  let fixture: Fixture;
  let manager: PoolManager;

  beforeEach(async () => {
    fixture = await Fixture.make();
    manager = fixture.manager();
  });

  afterEach(async () => {
    await manager.stop();
    await fixture.remove();
  });

  async function status(wanted: (status: ReplicaAnnouncement) => boolean): Promise<ReplicaAnnouncement> {
    return vi.waitFor(() => {
      const found = manager.statuses().find(wanted);
      if (found === undefined)
        throw new Error(`not yet: ${JSON.stringify(manager.statuses())} ${fixture.lines.join('\n')}`);
      return found;
    }, WAIT);
  }

  const ready = () => status(({ state }) => state === 'ready');

  it('starts it, tests it and announces what it serves', async () => {
    manager.start([fixture.pool()]);
    const replica = await ready();
    expect(fixture.heard).toEqual(['provisioning', 'starting', 'ready']);
    expect(replica).toMatchObject({
      poolId: 'p',
      replicaId: 'r0',
      slots: 3,
      ctxMax: 512,
      engineVersion: 'b6123-fake',
      deviceMask: '',
      lastError: null,
      nextRetryMs: null,
    });
    expect(replica.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fixture.starts()).map(({ pid }) => pid)).toEqual([replica.pid]);
    expect(fixture.lines.join('\n')).toContain('llama-server (version b6123) on the CPU');
    const handoff = join(fixture.folder, 'runtime/engines/p-r0.json');
    const { url, pid, slots, ctxMax } = replica;
    expect(readHandoff(await readFile(handoff, 'utf8'))).toMatchObject({
      kind: 'read',
      handoff: {
        engine: 'llamacpp',
        pool_id: 'p',
        replica_id: 'r0',
        url,
        pid,
        slots,
        ctx_max: ctxMax,
        device_mask: '',
      },
    });
    await manager.stop();
    await expect(access(handoff)).rejects.toThrow('ENOENT');
  });

  it('gives it context for all slots, the device mask, and none of our secrets', async () => {
    manager.start([fixture.pool()]);
    await ready();
    const [start] = await fixture.starts();
    expect(start?.args.join(' ')).toContain('--ctx-size 768 --parallel 3 --n-gpu-layers 0');
    expect(start?.env).toMatchObject({ CUDA_VISIBLE_DEVICES: '', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' });
    expect(start?.env).not.toHaveProperty('HF_TOKEN');
    expect(start?.env).not.toHaveProperty('DATABASE_URL');
  });

  it('withdraws a crashed engine at once and starts another', async () => {
    manager.start([fixture.pool()]);
    const first = await ready();
    await request(`${first.url ?? ''}/crash`).catch(() => undefined);
    const second = await status(({ state, pid }) => state === 'ready' && pid !== first.pid);
    expect(second.url).not.toBe(first.url);
    expect(fixture.heard.slice(3)).toEqual(['withdraw lost', 'failed', 'provisioning', 'starting', 'ready']);
    const failed = fixture.announced.find(({ state }) => state === 'failed');
    expect(failed).toMatchObject({ url: null, pid: null, lastError: expect.stringContaining('exit code 9') as string });
    expect(failed?.nextRetryMs).toBeGreaterThan(0);
  });

  it('takes an engine that fails its health checks for lost', async () => {
    manager.start([fixture.pool()]);
    const first = await ready();
    await fixture.tell('unhealthy');
    await vi.waitFor(() => expect(fixture.heard).toContain('failed'), WAIT);
    expect(fixture.heard).toContain('withdraw lost');
    expect(await isRunning(first.pid ?? 0)).toBe(false);
    await fixture.untell('unhealthy');
    await status(({ state, pid }) => state === 'ready' && pid !== first.pid);
  });

  it('tells why a start failed, with the end of the log, and tries again until it works', async () => {
    await fixture.tell('die-at-start');
    manager.start([fixture.pool()]);
    const failed = await status(({ lastError }) => lastError !== null);
    expect(failed.lastError).toContain('exit code 3');
    expect(failed.lastError).toContain('failed to load model: not today');
    await fixture.untell('die-at-start');
    expect(await ready()).toMatchObject({ lastError: null });
    await access(join(fixture.settings.runtimeDir, 'logs/p-r0.log.1'));
  });

  it('plans another build where the GPU can not run the first, and says what to do where there is none', async () => {
    const machine = {
      os: 'linux',
      cpu: 'x64',
      musl: false,
      nvidiaGpus: [0],
      nvidiaDetail: 'nvidia-smi lists 1',
      cudaRuntime: 13 as const,
      vulkanLoader: true,
      renderNodes: 0,
      metal: false,
      llamaServer: null,
    };
    const settings = {
      ...(await fixture.installed(['linux-x64-cuda', 'linux-x64-vulkan'])),
      gpuPolicy: 'required' as const,
    };
    const pool = fixture.pool({ devices: [0], engine: { ...fixture.pool().engine, packageName: 'node-llama-cpp' } });
    await fixture.tell('abort-on-cuda');
    manager = fixture.manager(settings, undefined, machine);
    manager.start([pool]);
    await ready();
    const failed = fixture.announced.find(({ state }) => state === 'failed');
    expect(failed?.lastError).toContain('newer than the NVIDIA driver');
    const builds = (await fixture.starts()).map(({ args }) => args[args.indexOf('--gpu') + 1]);
    expect(builds).toEqual(['cuda', 'vulkan']);
    await manager.stop();

    manager = fixture.manager(settings, undefined, { ...machine, vulkanLoader: false });
    manager.start([pool]);
    await status(({ lastError }) => lastError?.includes('apt install libvulkan1') === true);
  });

  it('gives up a start that never becomes healthy', async () => {
    await fixture.tell('never-healthy');
    const patience = { ...fixture.settings.patience, startMs: 300 };
    manager = fixture.manager({ ...fixture.settings, patience });
    manager.start([fixture.pool()]);
    const failed = await status(({ state }) => state === 'failed');
    expect(failed.lastError).toContain('did not become healthy');
    await fixture.untell('never-healthy');
  });

  it('rests after a storm of losses', async () => {
    await fixture.tell('die-at-start');
    const restart = { ...fixture.settings.patience.restart, stormLosses: 2 };
    manager = fixture.manager({ ...fixture.settings, patience: { ...fixture.settings.patience, restart } });
    manager.start([fixture.pool()]);
    const failed = await status(({ lastError }) => lastError?.startsWith('Too many losses') === true);
    expect((failed.nextRetryMs ?? 0) - Date.now()).toBeGreaterThan(10_000);
    expect(await fixture.starts()).toHaveLength(2);
  });

  it('plans no retry for what only another configuration mends', async () => {
    manager.start([fixture.pool({ model: { ...fixture.pool().model, ref: 's3://bucket/x.gguf' } })]);
    const failed = await status(({ state }) => state === 'failed');
    expect(failed).toMatchObject({
      nextRetryMs: null,
      lastError: expect.stringContaining('not supported yet') as string,
    });
  });

  it('refuses the CPU where a GPU is required, before anything is fetched or started', async () => {
    manager = fixture.manager({ ...fixture.settings, gpuPolicy: 'required' });
    manager.start([fixture.pool({ devices: [] })]);
    const failed = await status(({ state }) => state === 'failed');
    expect(failed.lastError).toContain('policy.gpu: allowed-cpu');
    expect(await fixture.starts()).toEqual([]);
    await expect(access(join(fixture.folder, 'models'))).rejects.toThrow('ENOENT');
  });

  it('ends the engine when it stops', async () => {
    manager.start([fixture.pool()]);
    const { pid } = await ready();
    await manager.stop();
    expect(await isRunning(pid ?? 0)).toBe(false);
    expect(fixture.heard.slice(3)).toEqual(['withdraw stopping', 'offline']);
    await expect(access(join(fixture.settings.runtimeDir, 'pids/p-r0.json'))).rejects.toThrow('ENOENT');
  });

  it('kills an engine that ignores being asked', async () => {
    await fixture.tell('ignore-term');
    const patience = { ...fixture.settings.patience, stopGraceMs: 200 };
    manager = fixture.manager({ ...fixture.settings, patience });
    manager.start([fixture.pool()]);
    const { pid } = await ready();
    await manager.stop();
    expect(await isRunning(pid ?? 0)).toBe(false);
  });

  it('stops while it is starting', async () => {
    await fixture.tell('never-healthy');
    manager.start([fixture.pool()]);
    const [start] = await vi.waitFor(async () => {
      const starts = await fixture.starts();
      expect(starts).toHaveLength(1);
      return starts;
    }, WAIT);
    await manager.stop();
    expect(await isRunning(start?.pid ?? 0)).toBe(false);
    expect(fixture.heard.at(-1)).toBe('offline');
  });

  describe('from a process that is killed', () => {
    let script: string;
    let remove: () => Promise<void>;
    let owner: ChildProcess;

    beforeEach(async () => {
      ({ script, remove } = await bundle(new URL('./supervisor-process.ts', import.meta.url)));
      const input = join(fixture.folder, 'input.json');
      await writeFile(input, JSON.stringify({ settings: fixture.settings, pool: fixture.pool() }));
      owner = spawn(process.execPath, [script, input], { stdio: ['ignore', 'pipe', 'inherit'] });
    });

    afterEach(async () => {
      owner.kill('SIGKILL');
      await remove();
    });

    async function readyPid(): Promise<number> {
      if (owner.stdout === null) throw new Error('no output');
      for await (const line of createInterface({ input: owner.stdout })) {
        const { state, pid } = JSON.parse(line) as ReplicaAnnouncement;
        if (state === 'ready' && pid !== null) return pid;
      }
      throw new Error('the supervisor ended');
    }

    it('leaves no orphan', async () => {
      const pid = await readyPid();
      expect(await isRunning(pid)).toBe(true);
      owner.kill('SIGKILL');
      await vi.waitFor(async () => expect(await isRunning(pid)).toBe(false), WAIT);
    });

    it('makes room for the next start', async () => {
      const pid = await readyPid();
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      manager.start([fixture.pool()]);
      expect((await ready()).pid).not.toBe(pid);
      expect(await isRunning(pid)).toBe(false);
    });

    it('is left to its process while that lives, without a word that could be taken for news of the pool', async () => {
      const pid = await readyPid();
      manager.start([fixture.pool()]);
      await vi.waitFor(
        () => expect(fixture.lines.join()).toContain(`process ${owner.pid} runs this pool already`),
        WAIT,
      );
      expect(await isRunning(pid)).toBe(true);
      expect(fixture.heard).toEqual([]);
      owner.kill('SIGKILL');
      expect((await ready()).pid).not.toBe(pid);
    });

    it('is left alone by another that stops again', async () => {
      const pid = await readyPid();
      manager.start([fixture.pool()]);
      await vi.waitFor(() => expect(fixture.lines).toHaveLength(1), WAIT);
      await manager.stop();
      expect(await isRunning(pid)).toBe(true);
      expect(fixture.heard).toEqual([]);
    });
  });
});
