import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { childEnvironment, type Environment } from '../child-environment.js';
import { ProgressMeter, type ProgressListener } from '../progress.js';
import { ProvisioningError } from '../provisioning.errors.js';
import { SharedRuns } from '../shared-runs.js';
import { folderBytes } from './folder-bytes.js';
import { builds, packageFilesFor, type EnginePlatform, type PackageFiles } from './node-llama-cpp-package.js';
import { npmCi } from './npm-ci.js';
import type { EnginePlan, GpuKind, NodeLlamaCppPlan } from './plan-engine.js';

/** An engine that can be started now. */
export interface PreparedEngine {
  readonly kind: 'llama-server' | 'node-llama-cpp';
  /** `llama-server b6123`, `node-llama-cpp 3.22.1`; null inside when unknown. */
  readonly version: string | null;
  readonly gpu: GpuKind;
  /** The build of node-llama-cpp; null for llama-server. */
  readonly platform: EnginePlatform | null;
  /** The program of llama-server, or the folder whose node_modules holds node-llama-cpp. */
  readonly location: string;
}

export interface EnsureEngineOptions {
  readonly environment: Environment;
  readonly progress: ProgressListener;
  readonly signal: AbortSignal;
  /** The npm to call. Default: `npm` on PATH. */
  readonly npm?: string;
}

const STAMP = 'engine.json';

/** Pools that start together share one installation. */
const installs = new SharedRuns<void>();

/**
 * Makes the planned engine present and returns where it is; a second call finds it and does nothing. The folder appears whole or not at all, so
 * any number of processes may ask at once. Throws ProvisioningError: refused plans, refused installs, a failed npm (with the end of its log).
 */
export async function ensureEngine(plan: EnginePlan, options: EnsureEngineOptions): Promise<PreparedEngine> {
  switch (plan.kind) {
    case 'refused':
      throw new ProvisioningError(plan.problem, plan.message);
    case 'llama-server':
      return { kind: plan.kind, version: plan.version, gpu: plan.gpu, platform: null, location: plan.command };
    case 'node-llama-cpp':
      await ensureNodeLlamaCpp(plan, options);
      return {
        kind: plan.kind,
        version: plan.version,
        gpu: plan.gpu,
        platform: plan.platform,
        location: plan.directory,
      };
  }
}

async function ensureNodeLlamaCpp(plan: NodeLlamaCppPlan, options: EnsureEngineOptions): Promise<void> {
  const files = packageFilesFor(plan.platform);
  if (await isPrepared(plan.directory, files)) return;
  if (!plan.mayInstall)
    throw new ProvisioningError(
      'refused-by-policy',
      `node-llama-cpp ${plan.version} is not installed and policy.allow_package_installs is false. Set policy.allow_package_installs: true, put llama-server on PATH, or attach a running engine with provisioning.mode: external.`,
    );
  await installs.join(plan.directory, options, (shared) => installInPlace(plan, files, { ...options, ...shared }));
}

async function installInPlace(
  plan: NodeLlamaCppPlan,
  files: PackageFiles,
  options: EnsureEngineOptions,
): Promise<void> {
  const unfinished = join(dirname(plan.directory), `.${basename(plan.directory)}-${randomUUID()}`);
  try {
    await install(plan, files, unfinished, options);
    await takePlace(unfinished, plan.directory, files);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function isPrepared(directory: string, files: PackageFiles): Promise<boolean> {
  try {
    const stamp = JSON.parse(await readFile(join(directory, STAMP), 'utf8')) as { lock_sha256?: unknown };
    return stamp.lock_sha256 === files.lockSha256;
  } catch {
    return false;
  }
}

async function install(
  plan: NodeLlamaCppPlan,
  files: PackageFiles,
  folder: string,
  options: EnsureEngineOptions,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), files.packageJson);
  await writeFile(join(folder, 'package-lock.json'), files.packageLock);

  const meter = new ProgressMeter(`install node-llama-cpp ${plan.version} (${plan.platform})`, null, options.progress);
  meter.begin(0, builds[plan.platform].bytes);
  const watch = setInterval(() => {
    // The folder may vanish at the end: a progress figure is not worth an error.
    void folderBytes(folder).then(
      (bytes) => meter.reach(bytes),
      () => undefined,
    );
  }, 1000);
  try {
    await npmCi(folder, {
      npm: options.npm ?? 'npm',
      environment: childEnvironment(options.environment, ['NPM_TOKEN', 'NODE_AUTH_TOKEN']),
      logFile: `${plan.directory}.install.log`,
      signal: options.signal,
    });
  } finally {
    clearInterval(watch);
  }
  const stamp = {
    engine: 'llamacpp',
    package: 'node-llama-cpp',
    version: plan.version,
    platform: plan.platform,
    lock_sha256: files.lockSha256,
    unlocked: files.unlocked,
    created_ms: Date.now(),
  };
  await writeFile(join(folder, STAMP), `${JSON.stringify(stamp, null, 2)}\n`, { flush: true });
  meter.finish(await folderBytes(folder));
}

/** Renames into place. Another process may have been faster: its folder is as good. A folder with another stamp makes way. */
async function takePlace(unfinished: string, directory: string, files: PackageFiles): Promise<void> {
  try {
    await rename(unfinished, directory);
  } catch (error) {
    if (await isPrepared(directory, files)) return;
    const outdated = `${unfinished}.outdated`;
    await rename(directory, outdated).catch(() => {
      throw error;
    });
    await rename(unfinished, directory);
    await rm(outdated, { recursive: true, force: true });
  }
}
