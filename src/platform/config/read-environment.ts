import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LogLevel } from './app-config.js';
import type { Problem } from './problems.js';
import { Secret } from './secret.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A key of the configuration that the environment sets. */
export interface Override {
  readonly variable: string;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

/** All that the environment says, read once. */
export interface EnvironmentSettings {
  readonly configFile: string | undefined;
  readonly overrides: readonly Override[];
  readonly authToken: Secret | null;
  readonly hfToken: Secret | null;
  readonly llamacppUrl: string | undefined;
  readonly model: string | undefined;
  readonly logLevel: LogLevel;
  readonly color: boolean;
  readonly problems: readonly Problem[];
}

const logLevels: readonly string[] = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
] satisfies LogLevel[];

/** An empty variable counts as unset, as Compose files write it, except AUTH_TOKEN: there it would open the door unseen. */
export function readEnvironment(env: Environment, cwd: string): EnvironmentSettings {
  const problems: Problem[] = [];
  const text = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === '' ? undefined : value;
  };
  const hfToken = text('HF_TOKEN');
  return {
    configFile: text('ORCHD_CONFIG'),
    overrides: readOverrides(text),
    authToken: readAuthToken(env, cwd, problems),
    hfToken: hfToken === undefined ? null : new Secret(hfToken),
    llamacppUrl: text('ORCHD_LLAMACPP_URL'),
    model: text('MODEL'),
    logLevel: readLogLevel(text('LOG_LEVEL'), problems),
    color: text('NO_COLOR') === undefined,
    problems,
  };
}

function readOverrides(text: (name: string) => string | undefined): Override[] {
  const overrides: Override[] = [];
  const override = (variable: string, path: string[], convert: (value: string) => unknown = (value) => value) => {
    const value = text(variable);
    if (value !== undefined) overrides.push({ variable, path, value: convert(value) });
  };
  override('BIND_ADDR', ['server', 'bind']);
  override('DATABASE_URL', ['storage', 'postgres']);
  override('REDIS_URL', ['storage', 'redis']);
  override('ORCHD_DATA_DIR', ['storage', 'data_dir']);
  override('ORCHD_ROLES', ['roles'], (list) =>
    list
      .split(',')
      .map((role) => role.trim())
      .filter((role) => role !== ''),
  );
  return overrides;
}

function readAuthToken(env: Environment, cwd: string, problems: Problem[]): Secret | null {
  const { AUTH_TOKEN: direct, AUTH_TOKEN_FILE: file } = env;
  if (direct !== undefined && file !== undefined) {
    problems.push({ path: 'AUTH_TOKEN', problem: 'is set together with AUTH_TOKEN_FILE; set one of them' });
    return null;
  }
  if (direct !== undefined) return checkedToken('AUTH_TOKEN', direct, problems);
  if (file === undefined) return null;
  try {
    return checkedToken('AUTH_TOKEN_FILE', readFileSync(resolve(cwd, file), 'utf8').trim(), problems);
  } catch {
    problems.push({ path: 'AUTH_TOKEN_FILE', problem: 'names a file that cannot be read' });
    return null;
  }
}

/** What an Authorization header cannot carry would lock everybody out. */
function checkedToken(variable: string, token: string, problems: Problem[]): Secret | null {
  if (token === '') {
    problems.push({ path: variable, problem: 'is empty; give a token, or unset it to run without one on loopback' });
    return null;
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    problems.push({ path: variable, problem: 'may hold visible ASCII characters only, no spaces' });
    return null;
  }
  return new Secret(token);
}

function readLogLevel(level: string | undefined, problems: Problem[]): LogLevel {
  if (level === undefined) return 'info';
  const lower = level.toLowerCase();
  if (!logLevels.includes(lower))
    problems.push({ path: 'LOG_LEVEL', problem: `must be one of ${logLevels.join(', ')}` });
  return lower as LogLevel;
}
