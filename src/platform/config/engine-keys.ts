import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { PoolConfig } from '../../contract/config.js';
import type { SemanticProblem } from './check-config.js';
import type { Environment } from './read-environment.js';
import { Secret } from './secret.js';

/** The keys that engines ask for, by pool; they are named in the configuration and never stand in it. */
export function readEngineKeys(
  pools: readonly PoolConfig[],
  env: Environment,
  cwd: string,
): { readonly keys: ReadonlyMap<string, Secret>; readonly problems: readonly SemanticProblem[] } {
  const keys = new Map<string, Secret>();
  const problems: SemanticProblem[] = [];
  pools.forEach(({ id, engine }, index) => {
    const { api_key_env: variable, api_key_file: file } = engine;
    const field = variable === undefined ? 'api_key_file' : 'api_key_env';
    const complain = (problem: string): void =>
      void problems.push({ path: ['pools', index, 'engine', field], problem });
    if (variable !== undefined && file !== undefined) {
      complain('is given together with api_key_file; give one of them');
      return;
    }
    if (variable === undefined && file === undefined) return;
    const text = variable === undefined ? fileText(file ?? '', cwd) : env[variable];
    const problem = text === undefined ? missing(variable) : malformed(text.trim());
    if (problem !== null) complain(problem);
    else if (text !== undefined) keys.set(id, new Secret(text.trim()));
  });
  return { keys, problems };
}

function missing(variable: string | undefined): string {
  return variable === undefined ? 'names a file that cannot be read' : `names ${variable}, which is not set`;
}

/** What an Authorization header cannot carry would be refused by every engine. */
function malformed(key: string): string | null {
  if (key === '') return 'leads to an empty key';
  return /^[\x21-\x7e]+$/.test(key) ? null : 'leads to a key with spaces or other than ASCII characters';
}

function fileText(path: string, cwd: string): string | undefined {
  const absolute = path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(cwd, path);
  try {
    return readFileSync(absolute, 'utf8');
  } catch {
    return undefined;
  }
}
