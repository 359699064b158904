import { open } from 'node:fs/promises';
import { ProvisioningError } from '../provisioning.errors.js';

/** The beginning of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */
export interface GgufHeader {
  readonly version: number;
  readonly tensorCount: number;
  readonly metadataCount: number;
  /** Of `general.architecture`; null when not among the first metadata. */
  readonly architecture: string | null;
  /** Context the model was trained for, in tokens; null when not among the first metadata. */
  readonly contextLength: number | null;
  readonly bytes: number;
}

const MAGIC = 'GGUF';
const FIXED_BYTES = 24;
/** Architecture keys come before the tokenizer's long lists, so a start of this size holds them. */
const READ_BYTES = 1_048_576;
const MOST_TENSORS = 1_000_000;
const MOST_METADATA = 100_000;

/** Reads and checks a file's GGUF header. Throws ProvisioningError `not-found` or `not-a-model`, saying what was found instead. */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new ProvisioningError('not-found', cannotOpen(path, cause), { cause });
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw notModel(path, 'is not a regular file');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(READ_BYTES, stat.size)), 0, undefined, 0);
    return { ...parseGgufHeader(path, buffer.subarray(0, bytesRead)), bytes: stat.size };
  } finally {
    await file.close();
  }
}

/** The pure half: checks a start of a file. `path` is for the message. */
export function parseGgufHeader(path: string, start: Buffer): Omit<GgufHeader, 'bytes'> {
  if (start.length < FIXED_BYTES) throw notModel(path, `has only ${start.length} bytes`);
  if (start.toString('latin1', 0, 4) !== MAGIC)
    throw notModel(path, `begins with ${describe(start)} instead of "GGUF"`);
  const version = start.readUInt32LE(4);
  if (version < 2 || version > 3) throw notModel(path, `is GGUF version ${version}; 2 and 3 are known`);
  const tensorCount = start.readBigUInt64LE(8);
  const metadataCount = start.readBigUInt64LE(16);
  if (tensorCount > BigInt(MOST_TENSORS)) throw notModel(path, `claims ${tensorCount} tensors`);
  if (metadataCount > BigInt(MOST_METADATA)) throw notModel(path, `claims ${metadataCount} metadata entries`);
  const known = readMetadata(start, Number(metadataCount));
  return { version, tensorCount: Number(tensorCount), metadataCount: Number(metadataCount), ...known };
}

function readMetadata(start: Buffer, count: number): { architecture: string | null; contextLength: number | null } {
  const cursor = new Cursor(start);
  let architecture: string | null = null;
  let contextLength: number | null = null;
  try {
    for (let index = 0; index < count && (architecture === null || contextLength === null); index += 1) {
      const key = cursor.text();
      const value = cursor.value();
      if (key === 'general.architecture' && typeof value === 'string') architecture = value;
      if (key.endsWith('.context_length') && typeof value === 'number') contextLength = value;
    }
  } catch (error) {
    // The rest lies behind the part that was read: what is known so far is enough.
    if (!(error instanceof RangeError)) throw error;
  }
  return { architecture, contextLength };
}

/** Sizes of the fixed-size value types, by their number in the format. */
const scalarBytes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const TYPE_STRING = 8;
const TYPE_ARRAY = 9;

/** Walks the metadata; reading past the end of the buffer throws a RangeError. */
class Cursor {
  private at = FIXED_BYTES;

  constructor(private readonly bytes: Buffer) {}

  text(): string {
    const length = this.length();
    return this.bytes.toString('utf8', this.skip(length), this.at);
  }

  /** The value when it is a string or an unsigned integer; undefined, and skipped, otherwise. */
  value(): string | number | undefined {
    const type = this.uint32();
    if (type === TYPE_STRING) return this.text();
    if (type === 4) return this.uint32();
    if (type === 10) return this.length();
    if (type === TYPE_ARRAY) return this.skipArray();
    this.skip(scalarSize(type));
    return undefined;
  }

  private skipArray(): undefined {
    const type = this.uint32();
    const count = this.length();
    if (type === TYPE_STRING) {
      for (let index = 0; index < count; index += 1) this.skip(this.length());
      return undefined;
    }
    this.skip(scalarSize(type) * count);
    return undefined;
  }

  private uint32(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }

  private length(): number {
    return Number(this.bytes.readBigUInt64LE(this.skip(8)));
  }

  /** Moves on and returns where it was. */
  private skip(bytes: number): number {
    const from = this.at;
    if (from + bytes > this.bytes.length) throw new RangeError('behind the part that was read');
    this.at = from + bytes;
    return from;
  }
}

function scalarSize(type: number): number {
  const size = scalarBytes[type];
  if (size === undefined) throw new RangeError(`unknown value type ${type}`);
  return size;
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
