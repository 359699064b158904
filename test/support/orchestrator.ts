import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env } from 'node:process';
import { waitUntil } from './wait-until.js';

const root = join(import.meta.dirname, '../..');
const main = join(root, 'dist/bundled/orchestratord.js');
const bootMs = 90_000;

export type Role = 'api' | 'worker' | 'pool-manager';

export interface OrchestratorOptions {
  readonly roles: readonly Role[];
  /** What the YAML file says; `roles` and the stores come from here instead. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Where the configuration and all data go. */
  readonly directory: string;
  readonly stores?: { readonly databaseUrl: string; readonly redisUrl: string };
  readonly env?: Readonly<Record<string, string>>;
}

/** A real orchestratord process, built from this tree. */
export interface RunningOrchestrator {
  readonly url: string;
  readonly pid: number;
  /** SIGTERM; resolves with its exit code. Null: it was killed. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves when it is gone. */
  kill9(): Promise<void>;
  /** SIGSTOP: it keeps its connections and does nothing. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Everything it has printed. */
  logs(): string;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts a process on a free port and waits until it says that it is ready. */
export async function startOrchestrator(options: OrchestratorOptions): Promise<RunningOrchestrator> {
  const { roles, config, directory, stores } = options;
  const file = join(directory, `orchestratord-${roles.join('-')}-${Date.now()}.yaml`);
  await writeFile(file, JSON.stringify({ storage: { data_dir: join(directory, 'data') }, ...config, roles })); // JSON is YAML.
  const child = spawn(process.execPath, [main], {
    cwd: directory,
    // Nothing that the person who runs the tests has set for a server of theirs.
    env: {
      PATH: env['PATH'],
      HOME: env['HOME'],
      ORCHD_CONFIG: file,
      BIND_ADDR: '127.0.0.1:0',
      ...(stores && { DATABASE_URL: stores.databaseUrl, REDIS_URL: stores.redisUrl }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  const exited = once(child, 'exit').then(([code]: (number | null)[]) => {
    alive.delete(child);
    return code ?? null;
  });
  let printed = '';
  const gather = (chunk: Buffer): void => {
    printed += chunk.toString('utf8');
  };
  child.stdout.on('data', gather);
  child.stderr.on('data', gather);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    if (signal === 'SIGTERM') child.kill('SIGCONT'); // A frozen process would not hear of it.
    return exited;
  };
  try {
    const url = await readyUrl(child, () => printed);
    return {
      url,
      pid: child.pid ?? 0,
      stop: () => end('SIGTERM'),
      kill9: async () => {
        await end('SIGKILL');
      },
      freeze: () => child.kill('SIGSTOP'),
      thaw: () => child.kill('SIGCONT'),
      logs: () => printed,
    };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
}

async function readyUrl(child: ChildProcess, printed: () => string): Promise<string> {
  const look = async (): Promise<string | null> => {
    if (child.exitCode !== null) return '';
    const url = /Health\s+(http:\S+)\/readyz/.exec(printed())?.[1];
    if (url === undefined) return null;
    return (await fetch(`${url}/readyz`)).ok ? url : null;
  };
  const url = await waitUntil('orchestratord to be ready', look, bootMs).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${printed().slice(-4000)}`, { cause: error });
  });
  if (url === '') throw new Error(`orchestratord ended with ${child.exitCode}:\n${printed().slice(-4000)}`);
  return url;
}
