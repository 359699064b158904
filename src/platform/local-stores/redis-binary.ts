import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdir, open, readFile, rm, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { LocalStoreError } from './local-store.errors.js';
import type { ProgressListener } from './progress.js';
import { assertRedisVersion } from './redis-version.js';
import { messageOf } from '../errors/message-of.js';

const run = promisify(execFile);

const SERVER_NAMES = ['redis-server', 'valkey-server'];
const USUAL_DIRECTORIES = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
/** Debian's `redis-tools` holds the server under this name; the package `redis-server` adds a link to it and a service. */
const SERVER_IN_DISGUISE = '/usr/bin/redis-check-rdb';
const INSTALL_MS = 300_000;

const THREE_WAYS = [
  'Three ways to get it:',
  '  1. install it: "apt-get install redis-server" (or valkey-server; "brew install redis" on a Mac)',
  '  2. point to one that runs: REDIS_URL=redis://host:6379',
  '  3. run it in a container: docker run -d -p 6379:6379 valkey/valkey:8, then REDIS_URL=redis://127.0.0.1:6379',
].join('\n');

export interface RedisBinaryOptions {
  /** Where a link to the server and the installer's log may be put. */
  readonly directory: string;
  /** The PATH to search. */
  readonly searchPath: string;
  /** Whether the system's package manager may be used, where that needs no answer from anybody. */
  readonly allowInstall: boolean;
  readonly progress?: ProgressListener;
}

/**
 * Finds a Redis or Valkey server of at least 6.2, else installs one by apt when we are root on Debian or Ubuntu.
 * No system service is started by that. Rejects with one message that names the three ways to get a server.
 */
export async function findRedisServer(options: RedisBinaryOptions): Promise<string> {
  const found = await findInstalled(options);
  if (found.path !== undefined) return found.path;
  const why = found.problem ?? 'No redis-server or valkey-server is installed here.';
  if (!options.allowInstall) throw new LocalStoreError(`${why} ${THREE_WAYS}`);
  const refusal = await installRefusal(options.searchPath);
  if (refusal !== undefined) throw new LocalStoreError(`${why} ${refusal} ${THREE_WAYS}`);
  const installProblem = await installByApt(options);
  const installed = await findInstalled(options);
  if (installed.path !== undefined) return installed.path;
  throw new LocalStoreError(
    `${why} Installing it did not work: ${installProblem ?? installed.problem ?? 'no server in the package'}\n${THREE_WAYS}`,
  );
}

async function findInstalled(options: RedisBinaryOptions): Promise<{ path?: string; problem?: string }> {
  const directories = [...new Set([...options.searchPath.split(delimiter), ...USUAL_DIRECTORIES])].filter(Boolean);
  const candidates = directories.flatMap((directory) => SERVER_NAMES.map((name) => join(directory, name)));
  const disguised = (await isExecutable(SERVER_IN_DISGUISE)) ? await linkInDisguise(options.directory) : undefined;
  let problem: string | undefined;
  for (const path of disguised === undefined ? candidates : [...candidates, disguised]) {
    if (!(await isExecutable(path))) continue;
    try {
      assertRedisVersion((await run(path, ['--version'], { timeout: 10_000 })).stdout);
      return { path };
    } catch (error) {
      problem ??= `${path} can't be used: ${messageOf(error)}`;
    }
  }
  return { problem };
}

/** The binary acts as the server when it is called by the server's name. */
async function linkInDisguise(directory: string): Promise<string> {
  const path = join(directory, 'redis-server');
  await mkdir(directory, { recursive: true });
  await rm(path, { force: true });
  await symlink(SERVER_IN_DISGUISE, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return path;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function installRefusal(searchPath: string): Promise<string | undefined> {
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const hasApt = await Promise.all(
    [...searchPath.split(delimiter), '/usr/bin'].map((dir) => isExecutable(join(dir, 'apt-get'))),
  );
  if (!/^ID(?:_LIKE)?=.*(?:debian|ubuntu)/m.test(system) || !hasApt.includes(true)) {
    return 'It is installed without asking on Debian and Ubuntu only.';
  }
  return process.getuid?.() === 0 ? undefined : 'Installing it needs root.';
}

async function installByApt(options: RedisBinaryOptions): Promise<string | undefined> {
  const install = ['install', '-y', '--no-install-recommends', 'redis-tools'];
  options.progress?.({ step: 'redis', message: 'installing Redis by apt-get (about 1 MB, usually under a minute)' });
  if ((await aptGet(install, options)) === undefined) return undefined;
  options.progress?.({ step: 'redis', message: 'refreshing the package lists (apt-get update)' });
  const updateProblem = await aptGet(['update'], options);
  options.progress?.({ step: 'redis', message: 'installing Redis by apt-get' });
  const problem = await aptGet(install, options);
  return problem === undefined
    ? undefined
    : `${problem}${updateProblem === undefined ? '' : `; before that, ${updateProblem}`}`;
}

/** Runs apt-get without a terminal; undefined on success, else what it said last. */
async function aptGet(args: readonly string[], options: RedisBinaryOptions): Promise<string | undefined> {
  const logFile = join(options.directory, 'apt-get.log');
  await mkdir(options.directory, { recursive: true });
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      stdio: ['ignore', log.fd, log.fd],
      timeout: INSTALL_MS,
      env: {
        PATH: `${options.searchPath}:/usr/sbin:/usr/bin:/sbin:/bin`,
        DEBIAN_FRONTEND: 'noninteractive',
        LC_ALL: 'C',
      },
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code === 0) return undefined;
    const lines = (await readFile(logFile, 'utf8')).trim().split('\n');
    return `apt-get ${args.join(' ')}: ${lines.filter((line) => line.startsWith('E:')).at(-1) ?? lines.at(-1) ?? ''} (all of it: ${logFile})`;
  } catch (error) {
    return `apt-get ${args.join(' ')}: ${String(error)}`;
  } finally {
    await log.close();
  }
}
