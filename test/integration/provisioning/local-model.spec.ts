import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnsureModel, type PresentModel } from '../../../src/modules/provisioning/index.js';

describe('models that need no network', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'local-models-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function ensure(ref: string, checksum?: string): Promise<PresentModel> {
    const model = new EnsureModel({
      allowDownloads: false,
      allowedHosts: [],
      hub: { endpoint: 'https://huggingface.co', token: null },
    });
    const { signal } = new AbortController();
    return model.run({ ref, checksum, cacheDir: join(folder, 'cache'), progress: () => undefined, signal });
  }

  it('writes the demo model into the cache, the same each time', async () => {
    const first = await ensure('demo');
    const second = await ensure('demo', `sha256:${first.sha256 ?? ''}`);
    expect(first).toMatchObject({
      path: join(folder, 'cache/orchestratord-demo.gguf'),
      name: 'demo',
      digestChecked: false,
    });
    expect(second).toMatchObject({ sha256: first.sha256, digestChecked: true });
    expect(first.header).toMatchObject({ architecture: 'llama' });
  });

  it('takes a file where it lies, by path and by file:, and checks its digest when one is given', async () => {
    const demo = await ensure('demo');
    expect(await ensure(demo.path)).toMatchObject({ path: demo.path, sha256: null, digestChecked: false });
    expect(await ensure(`file:${demo.path}`, `sha256:${demo.sha256 ?? ''}`)).toMatchObject({ digestChecked: true });
  });

  it('refuses a file with another digest, also after it was seen before', async () => {
    const demo = await ensure('demo');
    await ensure(demo.path, `sha256:${demo.sha256 ?? ''}`);
    await expect(ensure(demo.path, `sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ problem: 'digest-mismatch' });
  });

  it('says what is wrong with a file that is no model', async () => {
    const path = join(folder, 'notes.gguf');
    await expect(ensure(path)).rejects.toThrow('There is no file');
    await writeFile(path, 'hello, this is a note and no model');
    await expect(ensure(path)).rejects.toThrow('instead of "GGUF"');
    await mkdir(join(folder, 'dir.gguf'));
    await expect(ensure(join(folder, 'dir.gguf'))).rejects.toThrow('not a regular file');
  });
});
