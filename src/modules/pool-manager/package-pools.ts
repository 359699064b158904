import type { AppPool } from '../../platform/config/app-config.js';
import type { PackagePool, Patience } from './pool-settings.js';
import { defaultRestart } from './restart-policy.js';

export const defaultPatience: Patience = {
  startMs: 600_000,
  selfTestMs: 60_000,
  stopGraceMs: 10_000,
  pollMs: 100,
  healthFailures: 3,
  restart: defaultRestart,
};

const DEFAULT_SLOTS = 4;

/** The pools of a configuration that this room runs: those in package mode. */
export function packagePools(pools: readonly AppPool[]): PackagePool[] {
  return pools.filter((pool) => pool.provisioning.mode === 'package').map(packagePool);
}

function packagePool(pool: AppPool): PackagePool {
  return {
    id: pool.id,
    engine: {
      id: pool.engine.id,
      packageName: pool.provisioning.package.name,
      version: pool.engine.version,
      servedModelName: pool.engine.served_model_name,
    },
    model: { ref: pool.model.ref, checksum: pool.model.checksum, cacheDir: pool.model.cache_dir },
    ctx: pool.ctx,
    slots: pool.slots ?? DEFAULT_SLOTS,
    devices: pool.devices,
    health: { intervalMs: pool.health.interval_ms, timeoutMs: pool.health.timeout_ms },
    timeouts: {
      connectMs: pool.timeouts.connect_ms,
      idleMs: pool.timeouts.idle_ms,
      wallMs: pool.timeouts.wall_ms,
    },
  };
}
