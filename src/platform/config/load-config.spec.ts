import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppConfig } from './app-config.js';
import { loadConfig } from './load-config.js';
import { reportProblems, type Problem } from './problems.js';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'orchd-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function load(env: Record<string, string> = {}, yaml?: string): AppConfig {
  const loaded = attempt(env, yaml);
  if ('problems' in loaded) throw new Error(reportProblems(loaded.problems));
  return loaded.config;
}

function problems(env: Record<string, string>, yaml?: string): readonly Problem[] {
  const loaded = attempt(env, yaml);
  return 'problems' in loaded ? loaded.problems : [];
}

function attempt(env: Record<string, string>, yaml?: string) {
  if (yaml !== undefined) writeFileSync(join(cwd, 'orchestratord.yaml'), yaml);
  return loadConfig({ env, cwd });
}

const externalPool = `
pools:
  - id: default
    engine: { id: llamacpp }
    model: { ref: m }
    replicas: [{ id: r0, url: "http://127.0.0.1:8081/" }]
`;

describe('without a file', () => {
  it('is the demonstration, on the CPU where there is no GPU', () => {
    const config = load();
    expect(config.source).toEqual({ file: null, isDemo: true });
    expect(config.policy).toMatchObject({ gpu: 'allowed-cpu', allow_package_installs: true });
    expect(config.pools[0]).toMatchObject({ id: 'default', aliases: ['default'], slots: 4, model: { ref: 'demo' } });
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 8080, isLoopback: true });
    expect(config.paths.dataDir).toBe(join(cwd, '.orchestratord'));
    expect(config.stores).toEqual({ databaseUrl: null, redisUrl: null });
  });

  it('serves the model MODEL names', () => {
    expect(load({ MODEL: 'hf:org/repo/file.gguf' }).pools[0]?.model.ref).toBe('hf:org/repo/file.gguf');
  });

  it('attaches the server ORCHD_LLAMACPP_URL names', () => {
    const [pool] = load({ ORCHD_LLAMACPP_URL: 'http://127.0.0.1:9000/' }).pools;
    expect(pool).toMatchObject({ id: 'default', provisioning: { mode: 'external' } });
    expect(pool?.replicas).toEqual([{ id: 'r0', url: 'http://127.0.0.1:9000' }]);
    expect(problems({ ORCHD_LLAMACPP_URL: 'nonsense' })).toEqual([
      { path: 'ORCHD_LLAMACPP_URL', problem: 'must be an http:// or https:// URL' },
    ]);
  });
});

describe('the environment', () => {
  it('overrides the file', () => {
    const config = load(
      {
        BIND_ADDR: '[::1]:0',
        DATABASE_URL: 'postgres://u:pw@db/x',
        REDIS_URL: 'redis://:pw@r:6379',
        ORCHD_ROLES: 'api, worker',
        ORCHD_DATA_DIR: '/data',
        LOG_LEVEL: 'DEBUG',
        NO_COLOR: '1',
      },
      `server: { bind: 0.0.0.0:9, body_limit_bytes: 2048 }\n${externalPool}`,
    );
    expect(config.listen).toEqual({ host: '::1', port: 0, isLoopback: true });
    expect(config.server.body_limit_bytes).toBe(2048);
    expect(config.stores.databaseUrl?.reveal()).toBe('postgres://u:pw@db/x');
    expect(config.stores.redisUrl?.reveal()).toBe('redis://:pw@r:6379');
    expect(config.roles).toEqual(['api', 'worker']);
    expect(config.paths).toMatchObject({ dataDir: '/data', runtimeDir: '/data/runtime', cacheDir: '/data/models' });
    expect(config.logging).toEqual({ level: 'debug', color: false });
    expect(config.pools[0]?.replicas[0]?.url).toBe('http://127.0.0.1:8081');
  });

  it('names the variable a problem comes from', () => {
    const found = problems({ BIND_ADDR: 'nowhere', ORCHD_ROLES: 'api,cook', REDIS_URL: 'http://x', LOG_LEVEL: 'loud' });
    expect(found.map(({ path }) => path).toSorted()).toEqual(['BIND_ADDR', 'LOG_LEVEL', 'ORCHD_ROLES']);
  });

  it('counts an empty variable as unset', () => {
    expect(load({ BIND_ADDR: '', ORCHD_CONFIG: '', DATABASE_URL: ' ' }).source.isDemo).toBe(true);
  });

  it('takes MODEL for the one package pool of a file and refuses to guess otherwise', () => {
    const yaml =
      'pools:\n  - { id: a, engine: { id: llamacpp }, model: { ref: x }, provisioning: { mode: package } }\n';
    expect(load({ MODEL: '/m.gguf' }, yaml).pools[0]?.model.ref).toBe('/m.gguf');
    expect(problems({ MODEL: '/m.gguf' }, externalPool)[0]?.path).toBe('MODEL');
  });
});

it('takes a KV cache that grows with each task of engines alone that nobody knows', () => {
  const pool = (engine: string): string =>
    externalPool.replace(/engine: \{ id: \w+/, `engine: { kv_allocation: per_request, id: ${engine}`);
  expect(load({}, pool('openai')).pools[0]?.engine.kv_allocation).toBe('per_request');
  expect(load({}, externalPool).pools[0]?.engine.kv_allocation).toBe('at_start');
  expect(problems({}, pool('llamacpp'))).toMatchObject([
    {
      path: 'pools[0].engine.kv_allocation',
      problem: 'must be at_start: engine llamacpp sets its KV cache aside when it starts',
    },
  ]);
});

describe('large contents of artifacts', () => {
  const url = { DATABASE_URL: 'postgres://u@db/x', ORCHD_DATA_DIR: '/data' };

  it('go to files beside an embedded Postgres, and where every process finds them otherwise', () => {
    expect(load({ ORCHD_DATA_DIR: '/data' })).toMatchObject({
      artifacts: { store: 'fs' },
      paths: { artifactsDir: '/data/artifacts' },
    });
    expect(load(url).artifacts.store).toBe('postgres');
    expect(load({}, 'artifacts: { store: postgres }\n').artifacts.store).toBe('postgres');
    const shared = load(url, 'artifacts: { store: fs, dir: /shared }\n');
    expect(shared).toMatchObject({ artifacts: { store: 'fs' }, paths: { artifactsDir: '/shared' } });
  });

  it('go to files only of a directory that is shared, when Postgres is', () => {
    expect(problems(url, 'artifacts: { store: fs }\n').map(({ path }) => path)).toEqual(['artifacts.store']);
  });
});

describe('secrets', () => {
  it('never show in JSON or inspect', () => {
    const config = load({ AUTH_TOKEN: 'tok-1', HF_TOKEN: 'hf-1', DATABASE_URL: 'postgres://u:pw-1@db/x' });
    expect(config.secrets.authToken?.reveal()).toBe('tok-1');
    for (const shown of [
      JSON.stringify(config),
      inspect(config, { depth: 9, showHidden: true }),
      `${String(config.secrets.authToken)}`,
    ]) {
      expect(shown).not.toMatch(/tok-1|hf-1|pw-1/);
    }
  });

  it('may come from a file', () => {
    writeFileSync(join(cwd, 'token'), 'from-file\n');
    expect(load({ AUTH_TOKEN_FILE: 'token' }).secrets.authToken?.reveal()).toBe('from-file');
  });

  it.each([
    [{ AUTH_TOKEN: '' }, 'AUTH_TOKEN'],
    [{ AUTH_TOKEN: 'two words' }, 'AUTH_TOKEN'],
    [{ AUTH_TOKEN_FILE: 'missing' }, 'AUTH_TOKEN_FILE'],
    [{ AUTH_TOKEN: 'x', AUTH_TOKEN_FILE: 'y' }, 'AUTH_TOKEN'],
  ])('are refused when unusable: %j', (env, path) => {
    const found = problems({ BIND_ADDR: '0.0.0.0:8080', ...env });
    expect(found.map((problem) => problem.path)).toEqual([path]);
  });

  it('are asked for beyond loopback, with the way to set one', () => {
    const [found] = problems({ BIND_ADDR: '0.0.0.0:8080' });
    expect(found?.path).toBe('BIND_ADDR');
    expect(found?.problem).toContain('AUTH_TOKEN');
    expect(problems({ BIND_ADDR: '0.0.0.0:8080', AUTH_TOKEN: 'x' })).toEqual([]);
    expect(problems({}, 'auth: { optional_on_loopback: false }')[0]?.path).toBe('auth.optional_on_loopback');
  });
});

describe('the file', () => {
  it('may be empty', () => {
    expect(load({}, '').pools).toEqual([]);
    expect(load({}, '# nothing\n').source.isDemo).toBe(false);
  });

  it('must exist when a link under its usual name leads to it', () => {
    symlinkSync(join(cwd, 'gone.yaml'), join(cwd, 'orchestratord.yaml'));
    expect(problems({})[0]?.problem).toContain('does not exist');
  });

  it('must exist when ORCHD_CONFIG names it', () => {
    expect(problems({ ORCHD_CONFIG: 'other.yaml' })).toEqual([
      { path: 'ORCHD_CONFIG', problem: `the file ${join(cwd, 'other.yaml')} cannot be read: it does not exist` },
    ]);
  });

  it('has all its problems told at once, each with its line and the nearest known key', () => {
    const found = problems(
      {},
      [
        'serverr: {}',
        'server:',
        '  bnd: 127.0.0.1:1',
        '  body_limit_bytes: "4"',
        'pools:',
        '  - id: a b',
        '    engin: { id: llamacpp }',
        '    engine: { id: lamacpp }',
        '    model: {}',
      ].join('\n'),
    );
    const told = found.map(({ path, line, problem }) => `${line} ${path}: ${problem}`).toSorted();
    expect(told).toEqual([
      '1 serverr: is not known here; did you mean "server"?',
      '3 server.bnd: is not known here; did you mean "bind"?',
      '4 server.body_limit_bytes: must be a number',
      '6 pools[0].id: starts with a letter or digit, then at most 62 of letters, digits, ".", "_", "-"',
      '7 pools[0].engin: is not known here; did you mean "engine"?',
      '8 pools[0].engine.id: must be one of "llamacpp", "vllm", "tgi", "triton", "openai", "mock"',
      '9 pools[0].model.ref: is required',
    ]);
  });

  it('has contradictions told beside misshapen keys', () => {
    const found = problems(
      { BIND_ADDR: '0.0.0.0:80' },
      [
        'pools:',
        '  - { id: a, engine: { id: lamacpp }, model: { ref: x } }',
        '  - { id: b, engine: { id: llamacpp }, model: { ref: x }, devices: [0] }',
        'storage: { postgres: 5 }',
      ].join('\n'),
    );
    expect(found.map(({ path }) => path)).toEqual([
      'storage.postgres',
      'pools[0].engine.id',
      'BIND_ADDR',
      'pools[1].devices',
    ]);
  });

  it.each([
    ['a: 1\na: 2\n', 2],
    ['a: [1\n', 2],
    ['a: 1\n\tb: 2\n', 2],
    ['--- 1\n--- 2\n', 2],
  ])('that is no YAML is refused with line and column: %j', (yaml, line) => {
    const [found] = problems({}, yaml);
    expect(found).toMatchObject({ path: 'YAML', line });
    expect(found?.column).toBeGreaterThan(0);
  });

  it.each(['[]', 'text', '42'])('that holds no mapping (%s) is refused', (yaml) => {
    expect(problems({}, yaml)[0]).toMatchObject({ path: 'configuration', problem: 'must be an object' });
  });

  it('cannot blow up by nested aliases', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let index = 1; index < 9; index += 1)
      bomb.push(
        `k${index}: &k${index} [${Array(9)
          .fill(index === 1 ? '*a' : `*k${index - 1}`)
          .join(',')}]`,
      );
    expect(problems({}, bomb.join('\n'))[0]?.path).toBe('YAML');
  });
});

describe('contradictions', () => {
  const pool = (more: string, id = 'a') => `  - { id: ${id}, engine: { id: llamacpp }, model: { ref: x }${more} }\n`;

  it.each([
    [`pools:\n${pool('')}${pool('')}`, 'pools[1].id', 3],
    [
      `pools:\n${pool(', replicas: [{id: r, url: "http://a"}, {id: r, url: "http://b"}]')}`,
      'pools[0].replicas[1].id',
      2,
    ],
    [`pools:\n${pool(', provisioning: { package: { name: llama-server } }')}`, 'pools[0].provisioning.package.name', 2],
    [`pools:\n${pool(', devices: [0]')}`, 'pools[0].devices', 2],
    [`pools:\n${pool(', devices: [], provisioning: { mode: package }')}`, 'pools[0].devices', 2],
    [
      `pools:\n${pool(', provisioning: { mode: package, package: { name: node-llama-cpp } }')}`,
      'pools[0].provisioning.package.name',
      2,
    ],
    ['server: { bind: "127.0.0.1:70000" }', 'server.bind', 1],
    ['server: { cors_origins: ["https://a.example/path"] }', 'server.cors_origins[0]', 1],
    ['storage: { postgres: "mysql://x" }', 'storage.postgres', 1],
  ])('%s is refused at %s', (yaml, path, line) => {
    expect(problems({}, yaml).map((problem) => [problem.path, problem.line])).toEqual([[path, line]]);
  });

  it('are none for the same alias in two pools', () => {
    expect(load({}, `pools:\n${pool(', aliases: [m]')}${pool(', aliases: [m]', 'b')}`).pools).toHaveLength(2);
  });

  it('are none for a CPU pool where the policy allows it', () => {
    const yaml = `policy: { gpu: allowed-cpu }\npools:\n${pool(', devices: [], provisioning: { mode: package }')}`;
    expect(load({}, yaml).pools[0]?.devices).toEqual([]);
  });
});

describe('the report', () => {
  it('reads as one line a problem with its place', () => {
    const report = reportProblems(problems({}, 'rols: [api]'));
    expect(report).toContain('1 problem');
    expect(report).toContain(`${join(cwd, 'orchestratord.yaml')}:1  rols: is not known here; did you mean "roles"?`);
    expect(report).toContain('Nothing was started');
  });

  it('names the file also where no line is to blame', () => {
    expect(reportProblems(problems({}, '[]'))).toContain(
      `${join(cwd, 'orchestratord.yaml')}  configuration: must be an object`,
    );
  });

  it('stays readable when the file is something else altogether', () => {
    const noise = `\u0000\u0007\u0085${'secret: x: ['.repeat(50)}\n`.repeat(30);
    const lines = reportProblems(problems({}, noise)).split('\n');
    expect(lines.length).toBeLessThan(20);
    for (const line of lines) {
      expect(line.length).toBeLessThan(400);
      expect(line).not.toMatch(/\p{Cc}/u);
    }
  });

  it('tells what to do about a second document', () => {
    const [found] = problems({}, 'roles: [api]\n---\nserver: {}\n');
    expect(found).toMatchObject({ path: 'YAML', line: 2, problem: expect.stringContaining('remove the line ---') });
  });
});

describe('keys of engines', () => {
  const pool = (engine: string): string => `
pools:
  - id: cloud
    engine: { id: openai, ${engine} }
    model: { ref: gpt-4o }
    replicas: [{ id: r0, url: "https://api.example.com/v1" }]
`;

  it('come from the environment or a file, and never show', () => {
    writeFileSync(join(cwd, 'key'), ' sk-from-file\n');
    const fromFile = load({}, pool('api_key_file: key'));
    expect(fromFile.secrets.engineKeys.get('cloud')?.reveal()).toBe('sk-from-file');
    const fromEnv = load({ OPENAI_API_KEY: 'sk-from-env' }, pool('api_key_env: OPENAI_API_KEY'));
    expect(fromEnv.secrets.engineKeys.get('cloud')?.reveal()).toBe('sk-from-env');
    expect(inspect(fromEnv, { depth: null }) + JSON.stringify(fromEnv)).not.toContain('sk-from-env');
  });

  it.each([
    ['api_key_env: UNSET', 'api_key_env', 'names UNSET, which is not set'],
    ['api_key_file: /no/such/file', 'api_key_file', 'names a file that cannot be read'],
    ['api_key_env: BAD', 'api_key_env', 'leads to a key with spaces or other than ASCII characters'],
    ['api_key_env: EMPTY', 'api_key_env', 'leads to an empty key'],
    ['api_key_env: EMPTY, api_key_file: x', 'api_key_env', 'is given together with api_key_file; give one of them'],
  ])('that can not be used are refused: %s', (engine, field, problem) => {
    expect(problems({ BAD: 'with space', EMPTY: ' ' }, pool(engine))).toMatchObject([
      { path: `pools[0].engine.${field}`, problem },
    ]);
  });
});

it('runs no package of an engine that comes in none', () => {
  const yaml = externalPool.replace('llamacpp', 'openai').replace(/replicas.*/, 'provisioning: { mode: package }');
  expect(problems({}, yaml)).toMatchObject([
    { path: 'pools[0].engine.id', problem: expect.stringContaining('external') as string },
  ]);
});

describe('the URL of a replica', () => {
  const pool = (engine: string, url: string): string =>
    `pools: [{ id: a, engine: ${engine}, model: { ref: m }, replicas: [{ id: r0, url: '${url}' }] }]`;

  it.each([
    ['{ id: vllm }', 'https://gpu.lan/vllm'],
    ['{ id: triton }', 'http://gpu.lan:8000'],
    ['{ id: triton }', 'grpc://gpu.lan:8001'],
    ['{ id: triton }', 'grpcs://gpu.lan:8001'],
    ['{ id: mock, mock: { faults: [{ kind: oom, every: 3 }] } }', 'mock://r0'],
  ])('fits its engine: %s %s', (engine, url) => {
    expect(load({}, pool(engine, url)).pools[0]?.replicas).toMatchObject([{ url }]);
  });

  it.each([
    ['{ id: vllm }', 'grpc://gpu.lan:8001', 'replicas[0].url', /http:\/\/ or https:\/\//],
    ['{ id: triton }', 'grpc://gpu.lan:8001/v2', 'replicas[0].url', /no paths/],
    ['{ id: mock }', 'http://gpu.lan', 'replicas[0].url', /mock:\/\//],
    ['{ id: llamacpp }', 'mock://r0', 'replicas[0].url', /llamacpp/],
    ['{ id: vllm, mock: {} }', 'http://gpu.lan', 'engine.mock', /engine\.id: mock/],
    ['{ id: vllm }', 'ftp://gpu.lan', 'replicas[0].url', /./],
  ])('is refused where it does not: %s %s', (engine, url, path, problem) => {
    expect(problems({}, pool(engine, url))).toMatchObject([
      { path: `pools[0].${path}`, problem: expect.stringMatching(problem) as string },
    ]);
  });
});
