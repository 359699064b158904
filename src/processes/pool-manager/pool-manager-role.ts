import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lookAtEngine } from '../../engines/engine-probe.js';
import type { EngineAdapters } from '../../engines/engine-adapter.port.js';
import {
  defaultPatience,
  handoffDirectory,
  HandoffTelemetry,
  HandoffWatcher,
  packagePools,
  PoolManager,
  type HandoffAnnouncer,
  type PoolProgress,
  type ReplicaAnnouncer,
} from '../../modules/pool-manager/index.js';
import { EnsureModel } from '../../modules/provisioning/index.js';
import type { AppConfig } from '../../platform/config/app-config.js';
import { processEnvironment } from '../../platform/config/process-environment.js';
import type { Log } from '../../platform/observability/logger.js';

const hubEndpoint = 'https://huggingface.co';
const engineHostScript = fileURLToPath(new URL('../../bundled/engine-host.js', import.meta.url));

/** The pool-manager role of a process: runs the engines of package pools, and watches for handoffs to the others. It knows neither stores nor clients. */
export interface PoolManagerRole {
  readonly isNeeded: boolean;
  start(): void;
  onProgress(listener: (line: PoolProgress) => void): void;
  stop(): Promise<void>;
}

export function createPoolManagerRole(
  config: AppConfig,
  adapters: EngineAdapters,
  announcers: { readonly replicas: ReplicaAnnouncer; readonly handoffs: HandoffAnnouncer },
  log: Log,
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
    { ensureModel, adapters, look: lookAtEngine, announcer: announcers.replicas },
  );
  const pools = packagePools(config.pools);
  const handoffs = handoffWatcher(config, announcers.handoffs, new HandoffTelemetry(log));
  return {
    isNeeded: config.pools.length > 0,
    start: () => {
      manager.start(pools);
      handoffs.start();
    },
    onProgress: (listener) => void manager.onProgress(listener),
    stop: async () => {
      await handoffs.stop();
      await manager.stop();
    },
  };
}

function handoffWatcher(config: AppConfig, announcer: HandoffAnnouncer, telemetry: HandoffTelemetry): HandoffWatcher {
  const pools = config.pools.map(({ id, provisioning, replicas }) => ({
    id,
    isExternal: provisioning.mode === 'external',
    replicaIds: replicas.map((replica) => replica.id),
  }));
  return new HandoffWatcher(handoffDirectory(config.paths.runtimeDir), pools, announcer, telemetry);
}
