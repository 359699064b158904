import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeDemoModel } from '../demo-model/write-demo-model.js';
import type { ProgressListener } from '../progress.js';
import { ProvisioningError } from '../provisioning.errors.js';
import { downloadFile } from './download-file.js';
import { withFileLock } from './file-lock.js';
import { readGgufHeader, type GgufHeader } from './gguf-header.js';
import { HubClient, type HttpTimeouts, type HubSettings } from './hub-client.js';
import { refusalOf } from './http-refusal.js';
import { modelName, parseModelRef, type ModelRef } from './model-ref.js';
import { SharedRuns } from '../shared-runs.js';
import { VerifiedFiles } from './verified-files.js';
import { withRetries, type RetrySettings } from './with-retries.js';

export interface ModelSettings {
  readonly allowDownloads: boolean;
  /** Host names; `*.example.com` covers subdomains. Empty: every public host. */
  readonly allowedHosts: readonly string[];
  readonly hub: HubSettings;
  readonly timeouts?: HttpTimeouts;
  readonly retry?: RetrySettings;
}

export interface ModelRequest {
  /** As in `model.ref`. */
  readonly ref: string;
  /** `sha256:` and 64 hexadecimal digits; undefined: the hub's own digest is checked where it tells one. */
  readonly checksum: string | undefined;
  readonly cacheDir: string;
  readonly progress: ProgressListener;
  readonly signal: AbortSignal;
}

/** A model file that is there and was checked. */
export interface PresentModel {
  /** Absolute. */
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hexadecimal; null for a local file nobody gave a digest for. */
  readonly sha256: string | null;
  /** Whether the digest was compared with one given by the configuration or the hub. */
  readonly digestChecked: boolean;
  readonly header: GgufHeader;
}

const defaultTimeouts: HttpTimeouts = { connectMs: 10_000, idleMs: 60_000 };
const defaultRetry: RetrySettings = { attempts: 6, baseMs: 500, capMs: 30_000 };

/**
 * Makes a model present on disk and verified. Any number of callers and processes may ask for the same model: it is fetched once. Throws
 * ProvisioningError for a bad ref, a policy's refusal, an absent or wrong file, and a download that fails for good.
 */
export class EnsureModel {
  private readonly running = new SharedRuns<PresentModel>();

  constructor(private readonly settings: ModelSettings) {}

  async run(request: ModelRequest): Promise<PresentModel> {
    const ref = parseModelRef(request.ref);
    if (ref.kind === 'file') return this.checkLocal(ref.path, request);
    const target = cachePath(resolve(request.cacheDir), ref);
    const key = `${target}\n${request.checksum ?? ''}`;
    return this.running.join(key, request, (shared) => this.prepare(ref, target, { ...request, ...shared }));
  }

  private async checkLocal(path: string, request: ModelRequest): Promise<PresentModel> {
    const absolute = resolve(path);
    const header = await readGgufHeader(absolute);
    const expected = digestOf(request.checksum);
    if (expected === null)
      return {
        path: absolute,
        name: modelName({ kind: 'file', path }),
        bytes: header.bytes,
        sha256: null,
        digestChecked: false,
        header,
      };
    const files = new VerifiedFiles(resolve(request.cacheDir));
    const sha256 = await files.digest(absolute, request.progress, request.signal);
    if (sha256 !== expected) throw mismatch(absolute, sha256, expected);
    return {
      path: absolute,
      name: modelName({ kind: 'file', path }),
      bytes: header.bytes,
      sha256,
      digestChecked: true,
      header,
    };
  }

  private async prepare(
    ref: Exclude<ModelRef, { kind: 'file' }>,
    target: string,
    request: ModelRequest,
  ): Promise<PresentModel> {
    const present = await this.findPresent(ref, target, request);
    if (present !== null) return present;
    if (ref.kind === 'demo') return this.writeDemo(target, request);
    if (!this.settings.allowDownloads)
      throw new ProvisioningError(
        'refused-by-policy',
        `${request.ref} is not in ${request.cacheDir} and policy.allow_downloads is false. Set it to true, or give a path as model.ref.`,
      );
    return withFileLock(`${target}.lock`, request.signal, async () => {
      const fetchedMeanwhile = await this.findPresent(ref, target, request);
      return fetchedMeanwhile ?? this.fetch(ref, target, request);
    });
  }

  private async findPresent(ref: ModelRef, target: string, request: ModelRequest): Promise<PresentModel | null> {
    // The demo model is written each time: its generator may have changed, and it takes no time.
    if (ref.kind === 'demo') return null;
    const isThere = await stat(target).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isThere) return null;
    const files = new VerifiedFiles(resolve(request.cacheDir));
    const sha256 = await files.digest(target, request.progress, request.signal);
    const expected = digestOf(request.checksum);
    if (expected !== null && expected !== sha256) throw mismatch(target, sha256, expected);
    return this.present(ref, target, sha256, expected !== null);
  }

  private async writeDemo(target: string, request: ModelRequest): Promise<PresentModel> {
    await mkdir(resolve(request.cacheDir), { recursive: true });
    const written = await writeDemoModel(target);
    const expected = digestOf(request.checksum);
    if (expected !== null && expected !== written.sha256) throw mismatch(target, written.sha256, expected);
    return this.present({ kind: 'demo' }, target, written.sha256, expected !== null);
  }

  private async fetch(ref: Exclude<ModelRef, { kind: 'file' | 'demo' }>, target: string, request: ModelRequest) {
    const client = new HubClient(
      this.settings.hub,
      this.settings.allowedHosts,
      this.settings.timeouts ?? defaultTimeouts,
    );
    try {
      const url = ref.kind === 'hf' ? client.fileUrl(ref) : new URL(ref.url);
      const configured = digestOf(request.checksum);
      const retry = this.settings.retry ?? defaultRetry;
      const retrying = { what: `asking ${url.host}`, settings: retry, signal: request.signal };
      const told = ref.kind === 'hf' ? await withRetries(() => hubDigest(client, url, request.signal), retrying) : null;
      if (configured !== null && told !== null && configured !== told) throw mismatch(request.ref, told, configured);
      const expected = configured ?? told;
      const fetched = await downloadFile(
        { url, target, sha256: expected, what: `download ${modelName(ref)}` },
        { client, progress: request.progress, signal: request.signal, retry },
      );
      const present = await this.present(ref, target, fetched.sha256, expected !== null);
      await new VerifiedFiles(resolve(request.cacheDir)).remember(target, fetched.sha256);
      return present;
    } finally {
      await client.close();
    }
  }

  private async present(ref: ModelRef, path: string, sha256: string, digestChecked: boolean): Promise<PresentModel> {
    const header = await readGgufHeader(path);
    return { path, name: modelName(ref), bytes: header.bytes, sha256, digestChecked, header };
  }
}

/** Where a ref lies in the cache; below `cacheDir` whatever the ref holds. */
export function cachePath(cacheDir: string, ref: Exclude<ModelRef, { kind: 'file' }>): string {
  switch (ref.kind) {
    case 'demo':
      return join(cacheDir, 'orchestratord-demo.gguf');
    case 'hf':
      return join(cacheDir, 'hf', ref.org, ref.repo, encodeURIComponent(ref.revision), ...ref.file.split('/'));
    case 'https': {
      const url = new URL(ref.url);
      const name = modelName(ref)
        .replaceAll(/[^A-Za-z0-9._-]/g, '_')
        .slice(-100);
      const digest = createHash('sha256')
        .update(url.origin + url.pathname)
        .digest('hex')
        .slice(0, 16);
      return join(cacheDir, 'https', url.host.replaceAll(/[^A-Za-z0-9.-]/g, '_'), `${digest}-${name}`);
    }
  }
}

/** The digest the hub tells of a large file before it redirects; null where it tells none. */
async function hubDigest(client: HubClient, url: URL, signal: AbortSignal): Promise<string | null> {
  const answer = await client.send('HEAD', url, { signal, stopAtForeignHost: true });
  await answer.body.dump({ limit: 65_536 }).catch(() => undefined);
  if (answer.statusCode >= 400) throw refusalOf(answer, url.host);
  const etag = (answer.seen['x-linked-etag'] ?? '').replaceAll('"', '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(etag) ? etag : null;
}

function digestOf(checksum: string | undefined): string | null {
  return checksum === undefined ? null : checksum.replace(/^sha256:/, '').toLowerCase();
}

function mismatch(what: string, actual: string, expected: string): ProvisioningError {
  return new ProvisioningError(
    'digest-mismatch',
    `${what}: sha256 is ${actual}, model.checksum expects ${expected}. Correct the checksum, or delete the file to fetch it again.`,
  );
}
