/** A value of the metadata, as far as anybody here asks for it: text, a whole number, or a short list of whole numbers. */
export type GgufValue = string | number | readonly number[];

/** The metadata goes on behind the bytes that are there. */
export class CutOffError extends RangeError {
  override readonly name = 'CutOffError';
}

/** Something that the format does not know: nothing behind it can be read. */
export class UnknownValueError extends RangeError {
  override readonly name = 'UnknownValueError';
}

/** By their number in the format: bytes, and how a whole number of the type is read. */
const scalars: Readonly<
  Record<number, { readonly bytes: number; readonly read?: (from: Buffer, at: number) => number }>
> = {
  0: { bytes: 1, read: (from, at) => from.readUInt8(at) },
  1: { bytes: 1, read: (from, at) => from.readInt8(at) },
  2: { bytes: 2, read: (from, at) => from.readUInt16LE(at) },
  3: { bytes: 2, read: (from, at) => from.readInt16LE(at) },
  4: { bytes: 4, read: (from, at) => from.readUInt32LE(at) },
  5: { bytes: 4, read: (from, at) => from.readInt32LE(at) },
  6: { bytes: 4 },
  7: { bytes: 1 },
  10: { bytes: 8, read: readUInt64 },
  11: { bytes: 8, read: (from, at) => Number(from.readBigInt64LE(at)) },
  12: { bytes: 8 },
};
const typeString = 8;
const typeArray = 9;

/** The format's own limit of a key. */
const longestKeyBytes = 65_535;
/** Nobody here asks for longer texts than a name, or for longer lists than one number a layer. */
const longestTextBytes = 4096;
const longestList = 4096;
/** Deeper than any writer nests; a file of nothing but nesting must not exhaust the stack. */
const deepestNesting = 8;

/**
 * Walks the metadata of a GGUF file, key by value (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3,
 * little-endian). Looks at no byte twice and trusts no length: what would lie behind the end throws CutOffError, an unknown type
 * UnknownValueError.
 */
export class GgufCursor {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
  ) {}

  key(): string {
    const length = this.length();
    if (length > longestKeyBytes) throw new UnknownValueError(`a key of ${length} bytes`);
    return this.bytes.toString('utf8', this.skip(length), this.at);
  }

  /** The next value; undefined, and skipped, when it is of a kind or size that nobody asks for. */
  value(): GgufValue | undefined {
    const type = this.uint32();
    if (type === typeString) return this.text();
    if (type === typeArray) return this.list(deepestNesting);
    return this.number(type);
  }

  private text(): string | undefined {
    const length = this.length();
    const from = this.skip(length);
    return length > longestTextBytes ? undefined : this.bytes.toString('utf8', from, this.at);
  }

  private number(type: number): number | undefined {
    const { bytes, read } = scalarOf(type);
    const at = this.skip(bytes);
    return read?.(this.bytes, at);
  }

  private list(levels: number): number[] | undefined {
    const type = this.uint32();
    const count = this.length();
    if (type === typeString || type === typeArray) {
      if (levels === 0) throw new UnknownValueError('lists in lists in lists');
      for (let place = 0; place < count; place += 1) {
        if (type === typeString) this.skip(this.length());
        else this.list(levels - 1);
      }
      return undefined;
    }
    const { bytes, read } = scalarOf(type);
    const from = this.skip(bytes * count);
    if (read === undefined || count > longestList) return undefined;
    return Array.from({ length: count }, (_, place) => read(this.bytes, from + place * bytes));
  }

  private uint32(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }

  private length(): number {
    return readUInt64(this.bytes, this.skip(8));
  }

  /** Moves on and returns where it was. */
  private skip(bytes: number): number {
    const from = this.at;
    if (from + bytes > this.bytes.length) throw new CutOffError('behind the part that was read');
    this.at = from + bytes;
    return from;
  }
}

/** Inexact above 2^53, where nothing is that long; quicker than by a BigInt, and vocabularies have a length for each word. */
function readUInt64(from: Buffer, at: number): number {
  return from.readUInt32LE(at + 4) * 2 ** 32 + from.readUInt32LE(at);
}

function scalarOf(type: number) {
  const scalar = scalars[type];
  if (scalar === undefined) throw new UnknownValueError(`value type ${type}`);
  return scalar;
}
