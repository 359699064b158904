import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bytesText, ProgressMeter, type ProgressListener } from '../progress.js';
import { ProvisioningError } from '../provisioning.errors.js';
import { discardPart, keepPart, readPart, type Part } from './download-part.js';
import { reason, TransientDownloadError, type Answer, type HubClient } from './hub-client.js';
import { refusalOf } from './http-refusal.js';
import { withRetries, type RetrySettings } from './with-retries.js';

/** One file to fetch. */
export interface FileToFetch {
  readonly url: URL;
  /** Where it ends up; `<target>.part` holds what came so far. */
  readonly target: string;
  /** Lower-case hexadecimal; null: nothing to compare with. */
  readonly sha256: string | null;
  readonly what: string;
}

export interface FetchOptions {
  readonly client: HubClient;
  readonly progress: ProgressListener;
  readonly signal: AbortSignal;
  readonly retry: RetrySettings;
}

export interface FetchedFile {
  readonly bytes: number;
  /** Lower-case hexadecimal, of the bytes as they were written. */
  readonly sha256: string;
}

/** Room left on the disk after the file, so that logs and stores go on. */
const SPARE_BYTES = 67_108_864;

/**
 * Fetches one file: resumes what is left of an earlier attempt, hashes while it streams, checks the digest, and renames into place. A wrong
 * digest deletes the part. Throws ProvisioningError; a lost connection is retried with full jitter as long as attempts bring bytes.
 */
export async function downloadFile(file: FileToFetch, options: FetchOptions): Promise<FetchedFile> {
  await mkdir(dirname(file.target), { recursive: true });
  const meter = new ProgressMeter(file.what, null, options.progress);
  const fetched = await withRetries(() => attempt(file, options, meter), {
    what: file.what,
    settings: options.retry,
    signal: options.signal,
    measure: () => partBytes(file.target),
  });
  meter.finish(fetched.bytes);
  return fetched;
}

async function attempt(file: FileToFetch, options: FetchOptions, meter: ProgressMeter): Promise<FetchedFile> {
  const part = await readPart(file.target, file.url);
  const headers: Record<string, string> = part === null ? {} : { range: `bytes=${part.bytes}-`, 'if-range': part.etag };
  const answer = await options.client.send('GET', file.url, { headers, signal: options.signal });
  const from = await startOf(answer, part, file);
  const total = totalOf(answer, from);
  await checkSpace(file.target, total === null ? null : total - from);
  meter.begin(from, total);

  const hash = createHash('sha256');
  if (from > 0) await hashFile(partPath(file.target), hash);
  else await rm(partPath(file.target), { force: true });
  await keepPart(file.target, file.url, answer.headers['etag']);
  const bytes = await receive(answer, file, { from, hash, meter, signal: options.signal });
  if (total !== null && bytes < total) throw new TransientDownloadError(`${file.url.host} closed early`);
  return settle(file, bytes, hash.digest('hex'));
}

/** The offset the answer continues from; throws what a refusal means. */
async function startOf(answer: Answer, part: Part | null, file: FileToFetch): Promise<number> {
  if (answer.statusCode === 200) return 0;
  const range = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '');
  if (answer.statusCode === 206 && part !== null && Number(range?.[1]) === part.bytes) return part.bytes;
  await answer.body.dump({ limit: 65_536 }).catch(() => undefined);
  if (answer.statusCode === 206 || answer.statusCode === 416) {
    // The part no longer fits what the server has: begin anew.
    await discardPart(file.target);
    throw new TransientDownloadError(`${file.url.host} could not continue the part`);
  }
  throw refusalOf(answer, file.url.host);
}

function totalOf(answer: Answer, from: number): number | null {
  const length = answer.headers['content-length'];
  return length === undefined ? null : from + Number(length);
}

async function checkSpace(target: string, needed: number | null): Promise<void> {
  if (needed === null) return;
  const disk = await statfs(dirname(target));
  const free = disk.bavail * disk.bsize;
  if (needed + SPARE_BYTES > free)
    throw new ProvisioningError(
      'no-space',
      `${bytesText(needed)} are still to come and ${dirname(target)} has ${bytesText(free)} free. Free some space, or set model.cache_dir to a larger disk.`,
    );
}

interface Receiving {
  readonly from: number;
  readonly hash: Hash;
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal;
}

async function receive(answer: Answer, file: FileToFetch, receiving: Receiving): Promise<number> {
  let bytes = receiving.from;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      receiving.hash.update(chunk);
      receiving.meter.reach(bytes);
      done(null, chunk);
    },
  });
  const disk = createWriteStream(partPath(file.target), { flags: 'a' });
  try {
    await pipeline(answer.body, count, disk, { signal: receiving.signal });
  } catch (cause) {
    throw lostStream(cause, file, receiving.signal);
  }
  return bytes;
}

function lostStream(cause: unknown, file: FileToFetch, signal: AbortSignal): Error {
  if (signal.aborted) return new ProvisioningError('canceled', 'The download was stopped.');
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ProvisioningError('no-space', `The disk of ${dirname(file.target)} is full.`, { cause });
  return new TransientDownloadError(`${file.url.host}: ${reason(cause)}`, null, { cause });
}

async function settle(file: FileToFetch, bytes: number, sha256: string): Promise<FetchedFile> {
  if (file.sha256 !== null && file.sha256 !== sha256) {
    await discardPart(file.target);
    throw new ProvisioningError(
      'digest-mismatch',
      `${file.what}: sha256 is ${sha256}, expected ${file.sha256}. The download was deleted. Check model.checksum, or the source was changed.`,
    );
  }
  const handle = await open(partPath(file.target), 'r+');
  await handle.sync();
  await handle.close();
  await rename(partPath(file.target), file.target);
  await discardPart(file.target);
  return { bytes, sha256 };
}

async function hashFile(path: string, hash: Hash): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 })) hash.update(chunk as Buffer);
}

function partPath(target: string): string {
  return `${target}.part`;
}

async function partBytes(target: string): Promise<number> {
  return stat(partPath(target)).then(
    (found) => found.size,
    () => 0,
  );
}
