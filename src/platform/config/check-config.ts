import type { Config, PoolConfig } from '../../contract/config.js';
import { engineSchemes } from '../../contract/engine-schemes.js';
import { isLoopbackHost, splitBind } from './bind-address.js';

/** A problem of a configuration whose shape is right but whose parts contradict each other. */
export interface SemanticProblem {
  readonly path: readonly (string | number)[];
  readonly problem: string;
}

/** Every contradiction of the whole configuration. `hasToken`: whether the environment gave one. */
export function checkConfig(config: Config, hasToken: boolean): SemanticProblem[] {
  return [
    ...checkServer(config),
    ...checkDoors(config, hasToken),
    ...checkStores(config),
    ...checkRates(config),
    ...duplicates(config.pools.map((pool) => pool.id)).map((index) => ({
      path: ['pools', index, 'id'],
      problem: `"${config.pools[index]?.id}" is the id of another pool already`,
    })),
    ...config.pools.flatMap((pool, index) =>
      checkPool(pool, config).map(({ path, problem }) => ({ path: ['pools', index, ...path], problem })),
    ),
  ];
}

function checkServer(config: Config): SemanticProblem[] {
  const problems: SemanticProblem[] = [];
  if (splitBind(config.server.bind).port > 65_535) {
    problems.push({ path: ['server', 'bind'], problem: 'has a port above 65535' });
  }
  config.server.cors_origins.forEach((origin, index) => {
    if (origin !== '*' && !isOrigin(origin)) {
      problems.push({
        path: ['server', 'cors_origins', index],
        problem: 'must be "*" or an origin such as https://app.example.com, without a path',
      });
    }
  });
  return problems;
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

const howToSetAToken =
  'set one in AUTH_TOKEN, or its file in AUTH_TOKEN_FILE (for example: AUTH_TOKEN=$(openssl rand -hex 32))';

function checkDoors(config: Config, hasToken: boolean): SemanticProblem[] {
  if (hasToken) return [];
  const { host } = splitBind(config.server.bind);
  if (!isLoopbackHost(host)) {
    const problem = `listens beyond this machine (${config.server.bind}), which needs a token: ${howToSetAToken}, or bind to 127.0.0.1`;
    return [{ path: ['server', 'bind'], problem }];
  }
  if (config.auth.optional_on_loopback) return [];
  return [{ path: ['auth', 'optional_on_loopback'], problem: `is false, so a token is needed: ${howToSetAToken}` }];
}

function checkRates({ rate_limits: limits }: Config): SemanticProblem[] {
  if (limits === null || limits.burst === null || limits.requests_per_s !== null) return [];
  const problem = 'means nothing without rate_limits.requests_per_s: set that too, or remove this';
  return [{ path: ['rate_limits', 'burst'], problem }];
}

function checkStores(config: Config): SemanticProblem[] {
  const problems: SemanticProblem[] = [];
  if (!isStore(config.storage.postgres, ['postgres:', 'postgresql:'])) {
    problems.push({ path: ['storage', 'postgres'], problem: 'must be "embedded" or a postgres:// URL' });
  }
  if (!isStore(config.storage.redis, ['redis:', 'rediss:'])) {
    problems.push({ path: ['storage', 'redis'], problem: 'must be "embedded" or a redis:// URL' });
  }
  if (config.artifacts.store === 'fs' && config.artifacts.dir === undefined && config.storage.postgres !== 'embedded') {
    const problem = 'needs artifacts.dir, a directory that all processes of this Postgres share';
    problems.push({ path: ['artifacts', 'store'], problem });
  }
  return problems;
}

function isStore(text: string, protocols: readonly string[]): boolean {
  return text === 'embedded' || (URL.canParse(text) && protocols.includes(new URL(text).protocol));
}

function checkPool(pool: PoolConfig, config: Config): SemanticProblem[] {
  const mode = pool.provisioning.mode === 'external' ? checkExternal(pool) : checkPackage(pool, config);
  return [
    ...mode,
    ...checkEngine(pool),
    ...duplicates(pool.replicas.map((replica) => replica.id)).map((index) => ({
      path: ['replicas', index, 'id'],
      problem: `"${pool.replicas[index]?.id}" is the id of another replica of this pool already`,
    })),
    ...duplicates(pool.admission.priorities.map((entry) => entry.name)).map((index) => ({
      path: ['admission', 'priorities', index, 'name'],
      problem: `"${pool.admission.priorities[index]?.name}" is listed twice`,
    })),
  ];
}

function checkEngine({ engine, replicas }: PoolConfig): SemanticProblem[] {
  const problems: SemanticProblem[] = [];
  if (engine.mock !== undefined && engine.id !== 'mock')
    problems.push({
      path: ['engine', 'mock'],
      problem: `must go: it is for engine.id: mock, and this is ${engine.id}`,
    });
  if (engine.kv_allocation === 'per_request' && engine.id !== 'openai')
    problems.push({
      path: ['engine', 'kv_allocation'],
      problem: `must be at_start: engine ${engine.id} sets its KV cache aside when it starts`,
    });
  replicas.forEach(({ url }, index) => {
    const { protocol, pathname } = new URL(url);
    const path = ['replicas', index, 'url'];
    const fitting = engineSchemes[engine.id];
    if (!fitting.includes(protocol)) {
      const begin = fitting.map((scheme) => `${scheme}//`).join(' or ');
      problems.push({ path, problem: `is for no engine of the kind ${engine.id}: begin it with ${begin}` });
    } else if (protocol.startsWith('grpc') && !['', '/'].includes(pathname)) {
      problems.push({ path, problem: 'is for gRPC, which knows no paths: give a host and a port' });
    }
  });
  return problems;
}

const neverProvisioned =
  'an external pool attaches to engines that run already, nothing is installed or started for it';

function checkExternal(pool: PoolConfig): SemanticProblem[] {
  const problems: SemanticProblem[] = [];
  if (pool.provisioning.package.name !== undefined) {
    problems.push({ path: ['provisioning', 'package', 'name'], problem: `must go: ${neverProvisioned}` });
  }
  if (pool.devices !== undefined) problems.push({ path: ['devices'], problem: `must go: ${neverProvisioned}` });
  return problems;
}

function checkPackage(pool: PoolConfig, config: Config): SemanticProblem[] {
  const problems: SemanticProblem[] = [];
  if (pool.engine.id !== 'llamacpp') {
    const problem = `"${pool.engine.id}" comes in no package: package mode runs llamacpp; attach to a running one with provisioning.mode: external`;
    problems.push({ path: ['engine', 'id'], problem });
  }
  if (pool.devices?.length === 0 && config.policy.gpu !== 'allowed-cpu') {
    problems.push({
      path: ['devices'],
      problem: 'is empty, so the engine would run on the CPU: set policy.gpu to allowed-cpu, or list GPU indexes',
    });
  }
  if (pool.provisioning.package.name === 'node-llama-cpp' && !config.policy.allow_package_installs) {
    problems.push({
      path: ['provisioning', 'package', 'name'],
      problem:
        'is installed from the npm registry: set policy.allow_package_installs to true, or name llama-server to use the one on PATH',
    });
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(pool.model.ref)?.[1]?.toLowerCase();
  if (scheme !== undefined && !['hf', 'file', 'https'].includes(scheme)) {
    problems.push({ path: ['model', 'ref'], problem: `"${scheme}:" is not a known kind of model reference` });
  }
  return problems;
}

/** Indexes of the entries that repeat an earlier one. */
function duplicates(values: readonly string[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}
