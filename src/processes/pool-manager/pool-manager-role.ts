import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lookAtEngine } from '../../engines/engine-probe.js';
import type { EngineAdapters } from '../../engines/engine-adapter.port.js';
import {
  defaultPatience,
  packagePools,
  PoolManager,
  type PoolProgress,
  type ReplicaAnnouncer,
} from '../../modules/pool-manager/index.js';
import { EnsureModel } from '../../modules/provisioning/index.js';
import type { AppConfig } from '../../platform/config/app-config.js';
import { processEnvironment } from '../../platform/config/process-environment.js';

const hubEndpoint = 'https://huggingface.co';
const engineHostScript = fileURLToPath(new URL('../engine-host/main.js', import.meta.url));

/** The pool-manager role of a process: runs the engines of package pools. It knows neither stores nor clients. */
export interface PoolManagerRole {
  readonly isNeeded: boolean;
  start(): void;
  onProgress(listener: (line: PoolProgress) => void): void;
  stop(): Promise<void>;
}

export function createPoolManagerRole(
  config: AppConfig,
  adapters: EngineAdapters,
  announcer: ReplicaAnnouncer,
): PoolManagerRole {
  const { policy, paths, secrets } = config;
  const ensureModel = new EnsureModel({
    allowDownloads: policy.allow_downloads,
    allowedHosts: policy.allowed_hosts,
    hub: { endpoint: hubEndpoint, token: secrets.hfToken?.reveal() ?? null },
  });
  const manager = new PoolManager(
    {
      gpuPolicy: policy.gpu,
      mayInstall: policy.allow_package_installs,
      enginesDir: join(paths.dataDir, 'engines'),
      runtimeDir: paths.runtimeDir,
      engineHost: { node: process.execPath, script: engineHostScript },
      environment: processEnvironment(),
      patience: defaultPatience,
    },
    { ensureModel, adapters, look: lookAtEngine, announcer },
  );
  const pools = packagePools(config.pools);
  return {
    isNeeded: pools.length > 0,
    start: () => manager.start(pools),
    onProgress: (listener) => void manager.onProgress(listener),
    stop: () => manager.stop(),
  };
}
