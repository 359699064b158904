import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { lookAtEngine } from '../../../src/engines/engine-probe.js';
import {
  PoolManager,
  type PackagePool,
  type PoolManagerSettings,
  type ReplicaAnnouncement,
} from '../../../src/modules/pool-manager/index.js';
import { EnsureModel, type EnginePlatform, type MachineFacts } from '../../../src/modules/provisioning/index.js';
import {
  NODE_LLAMA_CPP_VERSION,
  packageFilesFor,
} from '../../../src/modules/provisioning/engine-package/node-llama-cpp-package.js';
import { fakeAdapter } from './fake-adapter.js';

/** One start of the fake engine, as it wrote it down itself. */
export interface Start {
  readonly pid: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A folder with a fake llama-server on a PATH of its own, and everything a pool manager needs. */
export class Fixture {
  readonly announced: ReplicaAnnouncement[] = [];
  /** Announcements and withdrawals in order: `ready`, `withdraw lost`, … */
  readonly heard: string[] = [];
  readonly lines: string[] = [];

  private constructor(readonly folder: string) {}

  static async make(): Promise<Fixture> {
    const folder = await mkdtemp(join(tmpdir(), 'pool-manager-'));
    await mkdir(join(folder, 'bin'));
    const program = fileURLToPath(new URL('./fake-engine.mjs', import.meta.url));
    await symlink(program, join(folder, 'bin/llama-server'));
    return new Fixture(folder);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  get settings(): PoolManagerSettings {
    return {
      gpuPolicy: 'allowed-cpu',
      mayInstall: false,
      enginesDir: join(this.folder, 'engines'),
      runtimeDir: join(this.folder, 'runtime'),
      engineHost: { node: process.execPath, script: '/nowhere.js' },
      environment: {
        PATH: `${join(this.folder, 'bin')}:${env['PATH'] ?? ''}`,
        HOME: env['HOME'],
        FAKE_ENGINE_DIR: this.folder,
        HF_TOKEN: 'hf_secret',
        DATABASE_URL: 'postgres://me:pw@host/x',
      },
      patience: {
        startMs: 20_000,
        selfTestMs: 20_000,
        stopGraceMs: 10_000,
        pollMs: 20,
        healthFailures: 2,
        restart: {
          baseMs: 10,
          capMs: 50,
          stormLosses: 1000,
          stormWindowMs: 60_000,
          stormRestMs: 60_000,
          stableMs: 60_000,
        },
      },
    };
  }

  pool(change: Partial<PackagePool> = {}): PackagePool {
    return {
      id: 'p',
      engine: { id: 'llamacpp', packageName: 'llama-server', version: null, servedModelName: undefined },
      model: { ref: 'demo', checksum: undefined, cacheDir: join(this.folder, 'models') },
      ctx: 256,
      slots: 3,
      devices: [],
      health: { intervalMs: 30, timeoutMs: 2000 },
      timeouts: { connectMs: 1000, idleMs: 5000, wallMs: 10_000 },
      ...change,
    };
  }

  /** @param machine what the pool manager is to take this machine for; undefined: what it is */
  manager(settings: PoolManagerSettings = this.settings, adapter = fakeAdapter, machine?: MachineFacts): PoolManager {
    const ensureModel = new EnsureModel({
      allowDownloads: false,
      allowedHosts: [],
      hub: { endpoint: 'https://huggingface.co', token: null },
    });
    const announcer = {
      announce: (announcement: ReplicaAnnouncement): void => {
        this.announced.push(announcement);
        this.heard.push(announcement.state);
      },
      withdraw: (_pool: string, _replica: string, reason: string): void => {
        this.heard.push(`withdraw ${reason}`);
      },
    };
    const manager = new PoolManager(settings, {
      ensureModel,
      adapters: new Map([['llamacpp', adapter]]),
      look: lookAtEngine,
      announcer,
      ...(machine !== undefined && { discoverMachine: () => Promise.resolve(machine) }),
    });
    manager.onProgress(({ text }) => this.lines.push(text));
    return manager;
  }

  /** Lets a build of node-llama-cpp look installed, and the fake engine run in its place. @returns settings to go with it */
  async installed(platforms: readonly EnginePlatform[]): Promise<PoolManagerSettings> {
    for (const platform of platforms) {
      const folder = join(this.settings.enginesDir, `node-llama-cpp-${NODE_LLAMA_CPP_VERSION}-${platform}`);
      await mkdir(folder, { recursive: true });
      const stamp = { lock_sha256: packageFilesFor(platform).lockSha256 };
      await writeFile(join(folder, 'engine.json'), JSON.stringify(stamp));
    }
    const script = fileURLToPath(new URL('./fake-engine.mjs', import.meta.url));
    return { ...this.settings, engineHost: { node: process.execPath, script } };
  }

  /** Makes the fake engine misbehave. */
  async tell(fault: string): Promise<void> {
    await writeFile(join(this.folder, fault), '');
  }

  async untell(fault: string): Promise<void> {
    await rm(join(this.folder, fault), { force: true });
  }

  async starts(): Promise<Start[]> {
    const text = await readFile(join(this.folder, 'starts'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Start);
  }
}

/** Whether a process runs; a zombie does not. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}
