import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  discoverMachine,
  ensureEngine,
  planEngine,
  type EnginePlan,
  type EngineWish,
  type Progress,
} from '../../../src/modules/provisioning/index.js';
import { packageFilesFor } from '../../../src/modules/provisioning/engine-package/node-llama-cpp-package.js';
import { testEnvironment } from './test-environment.js';

const nobody = { indexes: [], detail: 'nvidia-smi is not on PATH' };

describe('preparing node-llama-cpp', () => {
  let enginesDir: string;
  let seen: Progress[];

  beforeEach(async () => {
    enginesDir = await mkdtemp(join(tmpdir(), 'engines-'));
    seen = [];
  });

  afterEach(async () => {
    await rm(enginesDir, { recursive: true, force: true });
  });

  async function plan(change: Partial<EngineWish> = {}): Promise<EnginePlan> {
    const wish: EngineWish = {
      packageName: 'node-llama-cpp',
      version: null,
      devices: [],
      gpuPolicy: 'allowed-cpu',
      mayInstall: true,
      enginesDir,
      unfit: [],
      ...change,
    };
    return planEngine(wish, await discoverMachine(testEnvironment(), nobody));
  }

  function options(npm?: string) {
    return {
      environment: testEnvironment(),
      progress: (progress: Progress) => seen.push(progress),
      signal: new AbortController().signal,
      ...(npm === undefined ? {} : { npm }),
    };
  }

  async function fakeNpm(script: string): Promise<string> {
    const path = join(enginesDir, 'fake-npm');
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  }

  it('installs the one fitting build, which loads, and finds it the next time', async () => {
    const prepared = await ensureEngine(await plan(), options());
    const scope = join(prepared.location, 'node_modules/@node-llama-cpp');
    expect(await readdir(scope)).toHaveLength(1);
    const library = (await import(
      pathToFileURL(join(prepared.location, 'node_modules/node-llama-cpp/dist/index.js')).href
    )) as { getLlama: (options: object) => Promise<{ gpu: unknown; dispose: () => Promise<void> }> };
    const llama = await library.getLlama({ gpu: false, build: 'never', logLevel: 'error' });
    expect(llama.gpu).toBe(false);
    await llama.dispose();
    expect(seen.at(0)?.phase).toBe('started');
    expect(seen.at(-1)).toMatchObject({ phase: 'done' });
    expect((await readdir(enginesDir)).filter((name) => name.startsWith('.'))).toEqual([]);

    const again = await ensureEngine(await plan({ mayInstall: false }), options('/nowhere/npm'));
    expect(again).toEqual(prepared);
  });

  it('installs once for pools that start together', async () => {
    const npm = await fakeNpm(`echo run >> ${join(enginesDir, 'runs')}; mkdir -p node_modules`);
    const wanted = await plan();
    const [one, two] = await Promise.all([ensureEngine(wanted, options(npm)), ensureEngine(wanted, options(npm))]);
    expect(one).toEqual(two);
    expect(await readFile(join(enginesDir, 'runs'), 'utf8')).toBe('run\n');
  });

  it('takes what another process put in place meanwhile', async () => {
    const wanted = await plan();
    if (wanted.kind !== 'node-llama-cpp') throw new Error(wanted.kind);
    const { lockSha256 } = packageFilesFor(wanted.platform);
    const other = `mkdir -p ${wanted.directory}/node_modules && echo '{"lock_sha256":"${lockSha256}"}' > ${wanted.directory}/engine.json`;
    const npm = await fakeNpm(`mkdir -p node_modules; ${other}; echo theirs > ${wanted.directory}/node_modules/file`);
    await ensureEngine(wanted, options(npm));
    expect(await readFile(join(wanted.directory, 'node_modules/file'), 'utf8')).toBe('theirs\n');
    expect((await readdir(enginesDir)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('replaces a folder that another lock made', async () => {
    const npm = await fakeNpm('mkdir -p node_modules && echo new > node_modules/file');
    const wanted = await plan();
    const { location } = await ensureEngine(wanted, options(npm));
    await writeFile(join(location, 'engine.json'), '{"lock_sha256":"old"}');
    await writeFile(join(location, 'node_modules/file'), 'old');
    await ensureEngine(wanted, options(npm));
    expect(await readFile(join(location, 'node_modules/file'), 'utf8')).toBe('new\n');
  });

  it('shows npm no secret of ours', async () => {
    const npm = await fakeNpm('env > seen-environment; mkdir -p node_modules');
    const environment = { ...testEnvironment(), HF_TOKEN: 'hf_x', DATABASE_URL: 'postgres://x', NPM_TOKEN: 'for-npm' };
    const { location } = await ensureEngine(await plan(), { ...options(npm), environment });
    const shown = await readFile(join(location, 'seen-environment'), 'utf8');
    expect(shown).not.toMatch(/hf_x|postgres/);
    expect(shown).toContain('for-npm');
  });

  it('refuses where the policy allows no installation, and says the ways out', async () => {
    const attempt = ensureEngine(await plan({ mayInstall: false }), options());
    await expect(attempt).rejects.toMatchObject({ problem: 'refused-by-policy', isFinal: true });
    await expect(attempt).rejects.toThrow('policy.allow_package_installs: true');
  });

  it('says that the registry is out of reach, shows the end of the log and keeps all of it', async () => {
    const npm = await fakeNpm('echo "npm error code EAI_AGAIN"; echo "npm error request failed" >&2; exit 1');
    const attempt = ensureEngine(await plan(), options(npm));
    await expect(attempt).rejects.toMatchObject({ problem: 'network', isFinal: false });
    await expect(attempt).rejects.toThrow('npm error request failed');
    const log = (await readdir(enginesDir)).find((name) => name.endsWith('.install.log'));
    expect((await stat(join(enginesDir, log ?? ''))).size).toBeGreaterThan(0);
  });

  it('says what failed when npm fails otherwise, and leaves no half', async () => {
    const npm = await fakeNpm('mkdir -p node_modules; echo "npm error EINTEGRITY sha512"; exit 1');
    const attempt = ensureEngine(await plan(), options(npm));
    await expect(attempt).rejects.toMatchObject({ problem: 'install-failed' });
    await expect(attempt).rejects.toThrow('EINTEGRITY');
    expect((await readdir(enginesDir)).filter((name) => !/log|fake/.test(name))).toEqual([]);
  });

  it('says that npm is missing', async () => {
    await expect(ensureEngine(await plan(), options('/nowhere/npm'))).rejects.toThrow('is not on PATH');
  });

  it('stops when asked to', async () => {
    const stop = new AbortController();
    const npm = await fakeNpm('exec sleep 60');
    const attempt = ensureEngine(await plan(), {
      ...options(npm),
      signal: stop.signal,
      progress: () => stop.abort(),
    });
    await expect(attempt).rejects.toMatchObject({ problem: 'canceled' });
  });

  it('throws what planning refused', async () => {
    await expect(ensureEngine(await plan({ gpuPolicy: 'required' }), options())).rejects.toMatchObject({
      problem: 'refused-by-policy',
    });
  });
});
