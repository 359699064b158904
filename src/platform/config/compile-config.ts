import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from '../../contract/config.js';
import type { AppConfig, AppPool } from './app-config.js';
import { isLoopbackHost, splitBind } from './bind-address.js';
import type { EnvironmentSettings } from './read-environment.js';
import { Secret } from './secret.js';

/** Turns a checked configuration into what the process works with: paths absolute, addresses split, secrets wrapped. */
export function compileConfig(
  config: Config,
  { environment, engineKeys }: { environment: EnvironmentSettings; engineKeys: ReadonlyMap<string, Secret> },
  cwd: string,
  source: AppConfig['source'],
): AppConfig {
  const { storage, artifacts, ...rest } = config;
  const { host, port } = splitBind(config.server.bind);
  const dataDir = absolute(storage.data_dir, cwd);
  const cacheDir = join(dataDir, 'models');
  return {
    ...rest,
    roles: [...new Set(config.roles)],
    pools: config.pools.map((pool) => compilePool(pool, cacheDir, cwd)),
    listen: { host, port, isLoopback: isLoopbackHost(host) },
    paths: {
      dataDir,
      runtimeDir: storage.runtime_dir === undefined ? join(dataDir, 'runtime') : absolute(storage.runtime_dir, cwd),
      cacheDir,
      artifactsDir: artifacts.dir === undefined ? join(dataDir, 'artifacts') : absolute(artifacts.dir, cwd),
    },
    artifacts: { store: artifacts.store ?? (storage.postgres === 'embedded' ? 'fs' : 'postgres') },
    stores: { databaseUrl: storeUrl(storage.postgres), redisUrl: storeUrl(storage.redis) },
    secrets: { authToken: environment.authToken, hfToken: environment.hfToken, engineKeys },
    logging: { level: environment.logLevel, color: environment.color },
    source,
  };
}

function compilePool(pool: Config['pools'][number], cacheDir: string, cwd: string): AppPool {
  const own = pool.model.cache_dir;
  return {
    ...pool,
    model: { ...pool.model, cache_dir: own === undefined ? cacheDir : absolute(own, cwd) },
    replicas: pool.replicas.map((replica) => ({ ...replica, url: replica.url.replace(/\/+$/, '') })),
  };
}

function storeUrl(text: string): Secret | null {
  return text === 'embedded' ? null : new Secret(text);
}

function absolute(path: string, cwd: string): string {
  if (path === '~') return homedir();
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(cwd, path);
}
