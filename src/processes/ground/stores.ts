import { fileURLToPath } from 'node:url';
import type { AppConfig } from '../../platform/config/app-config.js';
import { processEnvironment } from '../../platform/config/process-environment.js';
import { applyMigrations } from '../../platform/database/migrate.js';
import {
  startEmbeddedPostgres,
  startLocalRedis,
  type LocalStore,
  type ProgressListener,
} from '../../platform/local-stores/index.js';
import type { Log } from '../../platform/observability/logger.js';

/** Where the stores of this process are. */
export interface Stores {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Stops those that this process started. */
  stop(): Promise<void>;
}

const migrationsDir = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url));

/** Starts the embedded stores, or takes the configured ones, and brings the database up to date. Rejects with a readable error. */
export async function openStores(config: AppConfig, log: Log, progress: ProgressListener): Promise<Stores> {
  const started: LocalStore[] = [];
  const stop = async (): Promise<void> => {
    await Promise.allSettled(started.map((store) => store.stop()));
  };
  const storeLog = { info: (message: string) => log.debug(message), warn: (message: string) => log.warn(message) };
  const use = async (url: string | undefined, start: () => Promise<LocalStore>): Promise<string> => {
    if (url !== undefined) return url;
    const store = await start();
    started.push(store);
    return store.url;
  };
  const { dataDir } = config.paths;
  const searchPath = processEnvironment()['PATH'] ?? '';
  try {
    const [databaseUrl, redisUrl] = await settleAll([
      use(config.stores.databaseUrl?.reveal(), () => startEmbeddedPostgres({ dataDir, log: storeLog, progress })),
      use(config.stores.redisUrl?.reveal(), () =>
        startLocalRedis({ dataDir, log: storeLog, progress, allowInstall: true, searchPath }),
      ),
    ]);
    progress({ step: 'database', message: 'checking the database schema' });
    await applyMigrations({ url: databaseUrl, migrationsDir, log: storeLog });
    return { databaseUrl, redisUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Both, or the first failure after both have come to an end: nothing is left starting behind our back. */
async function settleAll(both: [Promise<string>, Promise<string>]): Promise<[string, string]> {
  const [first, second] = await Promise.allSettled(both);
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return [first.value, second.value];
}
