import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';

import { EmbeddedPostgres } from '../../src/platform/local-stores/embedded-postgres.js';
import { killQuietly } from '../../src/platform/local-stores/guarded-server.js';
import { LocalRedis } from '../../src/platform/local-stores/local-redis.js';
import type { LaunchedServer, StoreKind } from '../../src/platform/local-stores/local-store.js';
import { makeTempDir } from './temp-dirs.js';

const log = { info: () => undefined, warn: () => undefined };

/** A real server of one test's own, to be killed, paused and brought back at the same address. */
export interface PrivateServer {
  readonly url: string;
  /** SIGKILL; resolves when the process is gone. Nobody restarts it. */
  kill9(): Promise<void>;
  /** Starts it again (stopping it first when it runs) with its data, or without any. */
  restart(options?: { empty?: boolean }): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it for good and removes its data. */
  drop(): Promise<void>;
}

export async function startPrivateRedis(): Promise<PrivateServer> {
  const dataDir = await makeTempDir();
  const searchPath = env.PATH ?? '';
  const redis = new LocalRedis(dataDir, { dataDir, log, allowInstall: false, searchPath });
  return startPrivate(redis, dataDir);
}

export async function startPrivatePostgres(): Promise<PrivateServer> {
  const dataDir = await makeTempDir();
  return startPrivate(new EmbeddedPostgres(dataDir, { dataDir, log }), dataDir);
}

async function startPrivate(kind: StoreKind, dataDir: string): Promise<PrivateServer> {
  await kind.prepare();
  let running: LaunchedServer = await kind.launch();
  const { url } = running;
  const signal = (name: NodeJS.Signals): void => {
    process.kill(running.server.pid, name);
  };
  return {
    url,
    kill9: async () => {
      signal('SIGKILL');
      await running.server.exited;
    },
    restart: async ({ empty = false } = {}) => {
      await thawAndStop(running);
      if (empty) await rm(join(dataDir, 'data'), { recursive: true, force: true });
      await kind.prepare();
      running = await kind.launch();
      if (running.url !== url) throw new Error('another process took the port of a private server: run the test again');
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    drop: async () => {
      await thawAndStop(running);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A frozen server could not hear that it is to stop. */
async function thawAndStop({ server }: LaunchedServer): Promise<void> {
  killQuietly(server.pid, 'SIGCONT');
  await server.stop();
}
