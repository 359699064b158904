import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { ProvisioningError } from '../provisioning.errors.js';
import { CutOffError, GgufCursor, UnknownValueError, type GgufValue } from './gguf-cursor.js';
import { kvShape, type KvShape } from './kv-shape.js';

/** The beginning of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */
export interface GgufHeader {
  readonly version: number;
  readonly tensorCount: number;
  readonly metadataCount: number;
  /** Of `general.architecture`; null when it is not told. */
  readonly architecture: string | null;
  /** Context the model was trained for, in tokens; null when it is not told. */
  readonly contextLength: number | null;
  /** What it keeps of each token; null when it is not told. */
  readonly kv: KvShape | null;
  readonly bytes: number;
}

/** What a start of a file holds. */
export interface HeaderStart extends Omit<GgufHeader, 'bytes'> {
  /** Its metadata goes on behind it. */
  readonly isCut: boolean;
}

const MAGIC = 'GGUF';
const FIXED_BYTES = 24;
/**
 * How much is read. Converters write the architecture's keys before the tokenizer's long lists, so nearly always the first is enough; the
 * format orders nothing, so the next hold the largest vocabularies. Never more, whatever the file claims.
 */
const READ_BYTES = [1_048_576, 8_388_608, 67_108_864];
const MOST_TENSORS = 1_000_000;
const MOST_METADATA = 100_000;

/**
 * Reads and checks a file's GGUF header, never its tensors. Throws ProvisioningError `not-found` or `not-a-model`, saying what was found
 * instead.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  // Opening a named pipe would wait for somebody to write.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw new ProvisioningError('not-found', cannotOpen(path, cause), { cause });
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw notModel(path, 'is not a regular file');
    const { isCut: _, ...header } = await readStart(path, file, stat.size);
    return { ...header, bytes: stat.size };
  } finally {
    await file.close();
  }
}

async function readStart(path: string, file: FileHandle, size: number): Promise<HeaderStart> {
  let header: HeaderStart | null = null;
  for (const most of READ_BYTES) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(most, size)), 0, undefined, 0);
    header = parseGgufHeader(path, buffer.subarray(0, bytesRead));
    if (!header.isCut || (header.kv !== null && header.contextLength !== null) || most >= size) break;
  }
  if (header === null) throw notModel(path, 'is empty');
  return header;
}

/** The pure half: checks a start of a file. `path` is for the message. */
export function parseGgufHeader(path: string, start: Buffer): HeaderStart {
  if (start.length < FIXED_BYTES) throw notModel(path, `has only ${start.length} bytes`);
  if (start.toString('latin1', 0, 4) !== MAGIC)
    throw notModel(path, `begins with ${describe(start)} instead of "GGUF"`);
  const version = start.readUInt32LE(4);
  if (version < 2 || version > 3) throw notModel(path, `is GGUF version ${version}; 2 and 3 are known`);
  const tensorCount = start.readBigUInt64LE(8);
  const metadataCount = start.readBigUInt64LE(16);
  if (tensorCount > BigInt(MOST_TENSORS)) throw notModel(path, `claims ${tensorCount} tensors`);
  if (metadataCount > BigInt(MOST_METADATA)) throw notModel(path, `claims ${metadataCount} metadata entries`);
  const { metadata, isCut } = readMetadata(start, Number(metadataCount));
  const architecture = metadata.get('general.architecture');
  const counts = { version, tensorCount: Number(tensorCount), metadataCount: Number(metadataCount), isCut };
  if (typeof architecture !== 'string') return { ...counts, architecture: null, contextLength: null, kv: null };
  const contextLength = metadata.get(`${architecture}.context_length`);
  return {
    ...counts,
    architecture,
    contextLength: typeof contextLength === 'number' && contextLength > 0 ? contextLength : null,
    kv: kvShape(architecture, metadata),
  };
}

function readMetadata(start: Buffer, count: number): { metadata: ReadonlyMap<string, GgufValue>; isCut: boolean } {
  const cursor = new GgufCursor(start, FIXED_BYTES);
  const metadata = new Map<string, GgufValue>();
  try {
    for (let index = 0; index < count; index += 1) {
      const key = cursor.key();
      const value = cursor.value();
      if (value !== undefined) metadata.set(key, value);
    }
  } catch (error) {
    // What is known so far may be enough.
    if (error instanceof CutOffError) return { metadata, isCut: true };
    if (!(error instanceof UnknownValueError)) throw error;
  }
  return { metadata, isCut: false };
}

function describe(start: Buffer): string {
  const text = start.toString('latin1', 0, 12);
  if (/^\s*<(?:!doctype|html)/i.test(text)) return 'a web page';
  return JSON.stringify(text.replaceAll(/[^\x20-\x7e]/g, '.'));
}

function notModel(path: string, problem: string): ProvisioningError {
  return new ProvisioningError('not-a-model', `${path} ${problem}: it is no GGUF model.`);
}

function cannotOpen(path: string, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return `There is no file ${path}. Correct model.ref.`;
  if (code === 'EACCES') return `${path} may not be read by this user. Change its permissions, or the user.`;
  return `${path} could not be opened (${typeof code === 'string' ? code : 'unknown error'}).`;
}
