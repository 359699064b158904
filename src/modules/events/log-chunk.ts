/** Which events of a task a chunk holds. */
export interface ChunkSpan {
  /** Ids of the first and last event. */
  readonly first: number;
  readonly last: number;
  /** Whether the last event is the task's terminal one. */
  readonly isFinal: boolean;
}

/** A run of consecutive events of one task, encoded once and shared by all its readers. */
export class LogChunk implements ChunkSpan {
  readonly first: number;
  readonly last: number;
  readonly isFinal: boolean;
  private plainWire: Buffer | null = null;
  private verboseWire: Buffer | null = null;
  /** Null: it is the same as plain. */
  private readonly told: Buffer | null;

  /**
   * @param frames frames as plain readers see them, one after the other; null only where `ofWire` knows better
   * @param verbose frames as verbose readers see them; the same Buffer where nothing differs
   */
  constructor(
    readonly taskId: string,
    { first, last, isFinal }: ChunkSpan,
    private frames: Buffer | null,
    verbose: Buffer | null = frames,
  ) {
    this.first = first;
    this.last = last;
    this.isFinal = isFinal;
    this.told = verbose === frames ? null : verbose;
  }

  /**
   * A chunk that doesn't end the task, of frames that are a chunk of an HTTP/1.1 body already: most are only passed on.
   * @param verbose null where verbose readers see the same
   */
  static ofWire(taskId: string, first: number, last: number, wire: Buffer, verbose: Buffer | null): LogChunk {
    const chunk = new LogChunk(taskId, { first, last, isFinal: false }, null, verbose);
    chunk.plainWire = wire;
    return chunk;
  }

  /** Frames as plain readers see them, one after the other. */
  get plain(): Buffer {
    return (this.frames ??= this.plainWire === null ? noBytes : contentOf(this.plainWire));
  }

  /** Frames as verbose readers see them; the same Buffer as `plain` where nothing differs. */
  get verbose(): Buffer {
    return this.told ?? this.plain;
  }

  /** Whether it holds no frames at all. */
  get isEmpty(): boolean {
    return this.frames?.length === 0;
  }

  /** The frames as a chunk of an HTTP/1.1 body; made at the first call. */
  httpChunk(verbose: boolean): Buffer {
    if (!verbose || this.told === null) return (this.plainWire ??= httpChunk(this.plain));
    return (this.verboseWire ??= httpChunk(this.told));
  }
}

/** One chunk of an HTTP/1.1 body (RFC 9112 §7.1): length in hexadecimal, bytes. */
export function httpChunk(bytes: Buffer): Buffer {
  const head = `${bytes.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(head.length + bytes.length + 2);
  chunk.write(head, 0, 'latin1');
  bytes.copy(chunk, head.length);
  chunk[chunk.length - 2] = carriageReturn;
  chunk[chunk.length - 1] = lineFeed;
  return chunk;
}

/** The inverse of `httpChunk`. */
function contentOf(chunk: Buffer): Buffer {
  return chunk.subarray(chunk.indexOf(lineFeed) + 1, -2);
}

const noBytes: Buffer = Buffer.alloc(0);
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const idLength = 36;
const digits = 10;
const headerLength = idLength + 1 + 4 * digits;
const zero = 0x30;

/**
 * Reads the chunks of a hub's message or of an old archive. Wire format of one: task id (36 bytes), '1' when final else '0', then four
 * decimal numbers of 10 digits: first id, last id, length of the plain bytes, length of the verbose bytes (0 = the same); then both.
 */
export function decodeChunks(bytes: Buffer): LogChunk[] {
  const chunks: LogChunk[] = [];
  let at = 0;
  while (at + headerLength <= bytes.length) {
    const taskId = bytes.toString('latin1', at, at + idLength);
    const isFinal = bytes[at + idLength] === zero + 1;
    let cursor = at + idLength + 1;
    const numbers = [0, 0, 0, 0];
    for (let n = 0; n < 4; n++, cursor += digits) numbers[n] = decimal(bytes, cursor);
    const [first = 0, last = 0, plainLength = 0, verboseLength = 0] = numbers;
    const plain = bytes.subarray(cursor, cursor + plainLength);
    const verbose =
      verboseLength === 0 ? plain : bytes.subarray(cursor + plainLength, cursor + plainLength + verboseLength);
    chunks.push(new LogChunk(taskId, { first, last, isFinal }, plain, verbose));
    at = cursor + plainLength + verboseLength;
  }
  return chunks;
}

/** A chunk as it lies in the Redis stream. Throws when the entry isn't one of ours. */
export function chunkOfEntry(taskId: string, entry: unknown): LogChunk {
  if (!Array.isArray(entry) || !Buffer.isBuffer(entry[0]) || !Array.isArray(entry[1]))
    throw new Error('unreadable entry in an event log');
  const fields = new Map<string, Buffer>();
  for (let f = 0; f + 1 < entry[1].length; f += 2) fields.set(String(entry[1][f]), entry[1][f + 1] as Buffer);
  const last = Number.parseInt(entry[0].toString('latin1'), 10);
  const plain = fields.get('d') ?? Buffer.alloc(0);
  const first = Number(fields.get('s') ?? last);
  return new LogChunk(taskId, { first, last, isFinal: fields.has('x') }, plain, fields.get('v') ?? plain);
}

/** The chunks of a log as read-log.lua gives them. Throws when the reply isn't its. */
export function joinedChunks(taskId: string, reply: readonly Buffer[]): LogChunk[] {
  const fields = 5;
  if (reply.length % fields !== 0) throw new Error('unexpected reply of read-log.lua');
  return Array.from({ length: reply.length / fields }, (_, n) => {
    const [first, last, final, plain = Buffer.alloc(0), verbose] = reply.slice(n * fields, (n + 1) * fields);
    const span = { first: Number(String(first)), last: Number(String(last)), isFinal: String(final) === '1' };
    return new LogChunk(taskId, span, plain, verbose === undefined || verbose.length === 0 ? plain : verbose);
  });
}

/** The frames of a chunk from event `from` on, without copying. */
export function framesFrom(chunk: LogChunk, from: number, verbose: boolean): Buffer {
  const bytes = verbose ? chunk.verbose : chunk.plain;
  if (from <= chunk.first) return bytes;
  let at = 0;
  for (let skip = from - chunk.first; skip > 0; skip--) {
    const end = bytes.indexOf('\n\n', at, 'latin1');
    if (end < 0) return bytes.subarray(bytes.length);
    at = end + 2;
  }
  return bytes.subarray(at);
}

function decimal(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) value = value * 10 + ((bytes[i] ?? zero) - zero);
  return value;
}
