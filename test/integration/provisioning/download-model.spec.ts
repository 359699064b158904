import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  EnsureModel,
  type ModelRequest,
  type ModelSettings,
  type Progress,
} from '../../../src/modules/provisioning/index.js';
import { LoopbackHub } from './loopback-hub.js';

const TOKEN = 'hf_dont_tell';

/** A GGUF of a size that takes several chunks. */
function model(bytes = 700_000): Buffer {
  const content = Buffer.alloc(bytes, 7);
  content.write('GGUF');
  content.writeUInt32LE(3, 4);
  content.writeBigUInt64LE(1n, 8);
  content.writeBigUInt64LE(0n, 16);
  return content;
}

describe('fetching a model from a hub', () => {
  let hub: LoopbackHub;
  let cacheDir: string;
  let seen: Progress[];

  beforeEach(async () => {
    hub = await LoopbackHub.start(model());
    cacheDir = await mkdtemp(join(tmpdir(), 'models-'));
    seen = [];
  });

  afterEach(async () => {
    await hub.stop();
    await rm(cacheDir, { recursive: true, force: true });
  });

  function ensure(change: Partial<ModelSettings> = {}): EnsureModel {
    return new EnsureModel({
      allowDownloads: true,
      allowedHosts: [],
      hub: { endpoint: hub.endpoint, token: TOKEN },
      timeouts: { connectMs: 2000, idleMs: 5000 },
      retry: { attempts: 3, baseMs: 1, capMs: 5 },
      ...change,
    });
  }

  function request(change: Partial<ModelRequest> = {}): ModelRequest {
    return {
      ref: 'hf:acme/tiny/sub/tiny.gguf',
      checksum: undefined,
      cacheDir,
      progress: (progress) => seen.push(progress),
      signal: new AbortController().signal,
      ...change,
    };
  }

  const target = () => join(cacheDir, 'hf/acme/tiny/main/sub/tiny.gguf');
  const filesLeft = async () => (await readdir(cacheDir, { recursive: true })).filter((name) => /part|lock/.test(name));

  it('brings the file, its digest checked against the hub, and leaves nothing else behind', async () => {
    const present = await ensure().run(request());
    expect(present).toMatchObject({
      path: target(),
      bytes: 700_000,
      sha256: hub.sha256,
      digestChecked: true,
      name: 'tiny.gguf',
    });
    expect(hub.content.equals(await readFile(target()))).toBe(true);
    expect(await filesLeft()).toEqual([]);
    expect(seen.at(0)).toMatchObject({ phase: 'started', bytesTotal: 700_000 });
    expect(seen.at(-1)).toMatchObject({ phase: 'done', bytesDone: 700_000 });
  });

  it('asks the hub for the wanted revision and escapes it', async () => {
    await ensure().run(request({ ref: 'hf:acme/tiny/tiny.gguf@refs/pr/1' }));
    expect(hub.asked.at(0)?.path).toBe('/acme/tiny/resolve/refs%2Fpr%2F1/tiny.gguf');
  });

  it('shows the token to the hub and to nobody else', async () => {
    await ensure().run(request());
    expect(
      hub.asked.filter(({ at }) => at === 'hub').every(({ authorization }) => authorization === `Bearer ${TOKEN}`),
    ).toBe(true);
    expect(hub.storeGets().map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('asks nobody when the file is there', async () => {
    await ensure().run(request());
    hub.asked.length = 0;
    const again = await ensure({ allowDownloads: false }).run(request());
    expect(again.sha256).toBe(hub.sha256);
    expect(hub.asked).toEqual([]);
  });

  it('continues where a broken connection stopped', async () => {
    hub.faults.dropAfter.push(300_000, 200_000);
    const present = await ensure().run(request());
    expect(present.sha256).toBe(hub.sha256);
    const starts = hub.storeGets().map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBe(0);
    // What was on its way to the disk when the connection broke may come again.
    expect(starts[1]).toBeGreaterThan(100_000);
    expect(starts[2]).toBeGreaterThan(starts[1]!);
  });

  it('continues a part that an earlier process left', async () => {
    hub.faults.dropAfter.push(300_000);
    const once = ensure({ retry: { attempts: 1, baseMs: 1, capMs: 1 } });
    hub.faults.dropAfter.push(0, 0);
    await expect(once.run(request())).rejects.toMatchObject({ problem: 'network' });
    const left = (await stat(`${target()}.part`)).size;
    expect(left).toBeGreaterThan(100_000);
    hub.faults.dropAfter.length = 0;
    await ensure().run(request());
    expect(hub.storeGets().at(-1)?.range).toBe(`bytes=${left}-`);
    expect(hub.content.equals(await readFile(target()))).toBe(true);
  });

  it('begins anew when the file changed meanwhile', async () => {
    hub.faults.dropAfter.push(300_000, 0);
    await expect(ensure({ retry: { attempts: 1, baseMs: 1, capMs: 1 } }).run(request())).rejects.toMatchObject({
      problem: 'network',
    });
    hub.content = model(500_000).fill(9, 100);
    hub.faults.etag = '"two"';
    await ensure().run(request());
    expect(hub.content.equals(await readFile(target()))).toBe(true);
  });

  it('begins anew where the server knows no ranges or vouches for nothing', async () => {
    hub.faults.ignoreRanges = true;
    hub.faults.weakEtag = true;
    hub.faults.dropAfter.push(300_000);
    await ensure().run(request());
    expect(hub.content.equals(await readFile(target()))).toBe(true);
    expect(hub.storeGets().map(({ range }) => range)).toEqual([undefined, undefined]);
  });

  it('refuses a file with another digest than the hub told, and deletes it', async () => {
    hub.faults.toldSha256 = 'a'.repeat(64);
    await expect(ensure().run(request())).rejects.toMatchObject({ problem: 'digest-mismatch', isFinal: true });
    expect(await filesLeft()).toEqual([]);
    await expect(stat(target())).rejects.toThrow('ENOENT');
  });

  it('refuses before fetching when configuration and hub disagree on the digest', async () => {
    await expect(ensure().run(request({ checksum: `sha256:${'b'.repeat(64)}` }))).rejects.toMatchObject({
      problem: 'digest-mismatch',
    });
    expect(hub.storeGets()).toEqual([]);
  });

  it('refuses a cached file that has not the configured digest', async () => {
    await ensure().run(request());
    await expect(ensure().run(request({ checksum: `sha256:${'b'.repeat(64)}` }))).rejects.toMatchObject({
      problem: 'digest-mismatch',
    });
  });

  it('notices that a cached file was changed on disk', async () => {
    await ensure().run(request());
    await writeFile(target(), model(1000));
    await expect(ensure().run(request({ checksum: `sha256:${hub.sha256}` }))).rejects.toMatchObject({
      problem: 'digest-mismatch',
    });
  });

  it('tries again after passing faults', async () => {
    hub.faults.statuses.push(503, 429);
    await ensure().run(request());
    expect(hub.storeGets()).toHaveLength(3);
  });

  it('gives up after attempts that bring nothing, with advice', async () => {
    hub.faults.statuses.push(503, 503, 503);
    await expect(ensure().run(request())).rejects.toMatchObject({
      problem: 'network',
      isFinal: false,
      message: expect.stringContaining('give a path') as string,
    });
  });

  it.each([
    [401, 'unauthorised', 'HF_TOKEN'],
    [403, 'unauthorised', 'HF_TOKEN'],
    [404, 'not-found', 'revision'],
  ])('says what %i means', async (status, problem, advice) => {
    hub.faults.hubStatus = status;
    const attempt = ensure().run(request());
    await expect(attempt).rejects.toMatchObject({ problem });
    await expect(attempt).rejects.toThrow(advice);
    await expect(attempt).rejects.not.toThrow(TOKEN);
  });

  it('fetches once however many ask, in one process and in several', async () => {
    const gate = deferred();
    hub.faults.held = gate.promise;
    const one = ensure();
    const askers = [one.run(request()), one.run(request()), ensure().run(request())];
    await vi.waitFor(() => expect(hub.storeGets()).toHaveLength(1));
    gate.resolve();
    const paths = (await Promise.all(askers)).map(({ path }) => path);
    expect(new Set(paths)).toEqual(new Set([target()]));
    expect(hub.storeGets()).toHaveLength(1);
  });

  it('stops when its caller stops, and the next caller continues', async () => {
    const gate = deferred();
    hub.faults.held = gate.promise;
    const stop = new AbortController();
    const one = ensure();
    const stopped = one.run(request({ signal: stop.signal }));
    await vi.waitFor(() => expect(hub.storeGets()).toHaveLength(1));
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ problem: 'canceled' });
    hub.faults.held = null;
    gate.resolve();
    expect((await one.run(request())).sha256).toBe(hub.sha256);
  });

  it('keeps on for the others when one of several callers stops', async () => {
    const gate = deferred();
    hub.faults.held = gate.promise;
    const stop = new AbortController();
    const one = ensure();
    const leaving = one.run(request({ signal: stop.signal }));
    const staying = one.run(request());
    await vi.waitFor(() => expect(hub.storeGets()).toHaveLength(1));
    stop.abort();
    gate.resolve();
    await expect(leaving).rejects.toMatchObject({ problem: 'canceled' });
    expect((await staying).sha256).toBe(hub.sha256);
  });

  it('refuses to fetch where downloads are not allowed', async () => {
    await expect(ensure({ allowDownloads: false }).run(request())).rejects.toMatchObject({
      problem: 'refused-by-policy',
      isFinal: true,
    });
    expect(hub.asked).toEqual([]);
  });

  it('asks no host that is not allowed', async () => {
    await expect(ensure({ allowedHosts: ['models.example.com'] }).run(request())).rejects.toMatchObject({
      problem: 'refused-by-policy',
    });
    expect(hub.asked).toEqual([]);
  });

  it.each(['http://10.0.0.1/x', 'http://169.254.169.254/latest/meta-data', 'https://[::1]:9/x', 'file:///etc/passwd'])(
    'does not follow a redirect to %s',
    async (location) => {
      hub.faults.redirectTo = location;
      await expect(ensure().run(request())).rejects.toMatchObject({ problem: 'refused-by-policy' });
    },
  );

  it('does not take a web page for a model', async () => {
    hub.content = Buffer.from('<!doctype html><title>Sign in</title>'.padEnd(2000, ' '));
    await expect(ensure().run(request())).rejects.toMatchObject({
      problem: 'not-a-model',
      message: expect.stringContaining('a web page') as string,
    });
  });

  it('says how much room is missing before it writes a byte', async () => {
    hub.faults.claimedBytes = 2 ** 52;
    await expect(ensure().run(request())).rejects.toMatchObject({ problem: 'no-space', isFinal: false });
    expect(await filesLeft()).toEqual([]);
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
