/** What a response brings. Calls come synchronously from `push`. */
export interface ResponseEvents {
  /** The final head; interim ones (1xx) are passed over. @param headers names in lower case; of repeated ones the last */
  onHead(status: number, headers: ReadonlyMap<string, string>): void;
  /** A piece of the body, its transfer coding taken off. It lies in the caller's bytes. */
  onBody(bytes: Buffer): void;
}

/** The bytes are no HTTP/1.1 response that we can read. */
export class ResponseFormatError extends Error {
  readonly code = 'ERR_HTTP_RESPONSE';
}

type Phase = 'head' | 'size' | 'extension' | 'data' | 'data end' | 'trailer' | 'length' | 'until close' | 'complete';

const maxHeadBytes = 64 * 1024;
/** Of a chunk's size: more could not be counted exactly. */
const maxSizeDigits = 13;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const semicolon = 0x3b;
const space = 0x20;
const tab = 0x09;
const version = Buffer.from('HTTP/1.');
const headEnd = Buffer.from('\r\n\r\n');
const noBytes: Buffer = Buffer.alloc(0);

/**
 * Reads one HTTP/1.1 response (RFC 9112) from bytes that may be split anywhere. A token's chunk costs a few byte comparisons and no
 * allocation but its slice; on streams of single tokens a general parser costs more than all else we do with them.
 */
export class ResponseReader {
  /** Set by a listener that wants no more for now. */
  isPaused = false;
  private phase: Phase = 'head';
  private held: Buffer = noBytes;
  /** Bytes to come: of the chunk, or of the body. */
  private left = 0;
  private sizeDigits = 0;
  private trailerBytes = 0;
  private lineBytes = 0;
  private isReusable = true;

  constructor(private readonly events: ResponseEvents) {}

  /** Whether the response has ended. */
  get isComplete(): boolean {
    return this.phase === 'complete';
  }

  /** Whether the connection may carry another request; known when the response is complete. */
  get mayReuse(): boolean {
    return this.isReusable;
  }

  /**
   * Takes what has come in, as far as nobody pauses. Throws ResponseFormatError, and whatever a listener throws.
   * @returns how many bytes it took; push the rest again when it goes on
   */
  push(bytes: Buffer): number {
    const { length } = bytes;
    let at = this.phase === 'head' ? this.head(bytes) : 0;
    while (at < length && this.phase !== 'complete' && !this.isPaused) at = this.step(bytes, at, length);
    if (this.phase !== 'complete') return at;
    // More than was asked for: whoever sends that can't be trusted with another request.
    if (at < length) this.isReusable = false;
    return length;
  }

  /** The connection has ended in good order. @returns whether the response is whole */
  finish(): boolean {
    if (this.phase === 'until close') this.phase = 'complete';
    this.isReusable = false;
    return this.isComplete;
  }

  private step(bytes: Buffer, at: number, length: number): number {
    switch (this.phase) {
      case 'size':
        return this.size(bytes, at, length);
      case 'data':
      case 'length':
        return this.data(bytes, at, length);
      case 'data end':
        return this.dataEnd(bytes, at);
      case 'extension':
        return this.extension(bytes, at, length);
      case 'trailer':
        return this.trailer(bytes, at);
      case 'until close':
        this.events.onBody(at === 0 ? bytes : bytes.subarray(at));
        return length;
      case 'head':
      case 'complete':
        return length;
    }
  }

  /** @returns where the body begins */
  private head(bytes: Buffer): number {
    const before = this.held.length;
    const all = before === 0 ? bytes : Buffer.concat([this.held, bytes]);
    if (!isHttp(all)) throw new ResponseFormatError('what answers does not speak HTTP/1.1');
    const end = all.indexOf(headEnd, Math.max(0, before - headEnd.length + 1));
    if (end < 0 ? all.length > maxHeadBytes : end > maxHeadBytes)
      throw new ResponseFormatError(`the head of the answer is longer than ${maxHeadBytes} bytes`);
    if (end < 0) {
      // A copy: the bytes lie in a buffer that the next read fills again.
      this.held = before === 0 ? Buffer.from(bytes) : all;
      return bytes.length;
    }
    this.held = noBytes;
    const bodyAt = end + headEnd.length - before;
    const { status, headers, isOld } = parseHead(all.toString('latin1', 0, end));
    if (status >= 100 && status < 200) {
      if (status === 101) throw new ResponseFormatError('the engine wants to speak another protocol');
      return bodyAt < bytes.length ? bodyAt + this.head(bytes.subarray(bodyAt)) : bodyAt;
    }
    this.isReusable = isReusable(headers, isOld);
    this.frame(status, headers);
    return bodyAt;
  }

  /** How long the body is (RFC 9112 §6.3). */
  private frame(status: number, headers: ReadonlyMap<string, string>): void {
    const coding = headers.get('transfer-encoding')?.trim().toLowerCase();
    const length = headers.get('content-length');
    if (status === 204 || status === 304) this.left = 0;
    else if (coding !== undefined) {
      if (coding !== 'chunked') throw new ResponseFormatError(`the transfer coding ${coding} is not known here`);
      this.phase = 'size';
    } else if (length !== undefined) {
      if (!/^\d{1,15}$/.test(length)) throw new ResponseFormatError('the length of the answer is no number');
      this.left = Number(length);
      this.phase = 'length';
    } else this.phase = 'until close';
    this.events.onHead(status, headers);
    if (this.phase === 'head' || (this.phase === 'length' && this.left === 0)) this.phase = 'complete';
  }

  private size(bytes: Buffer, from: number, length: number): number {
    let at = from;
    for (; at < length; at++) {
      const byte = bytes[at] ?? 0;
      const digit = hexDigit(byte);
      if (digit < 0) {
        if (this.sizeDigits === 0) throw new ResponseFormatError('a chunk of the answer has no size');
        if (byte === carriageReturn && bytes[at + 1] === lineFeed) return this.sized(at + 2);
        if (byte !== carriageReturn && byte !== semicolon && byte !== space && byte !== tab)
          throw new ResponseFormatError('the size of a chunk is no number');
        this.phase = 'extension';
        return at;
      }
      this.sizeDigits += 1;
      if (this.sizeDigits > maxSizeDigits) throw new ResponseFormatError('a chunk of the answer is too large');
      this.left = this.left * 16 + digit;
    }
    return at;
  }

  private sized(at: number): number {
    this.sizeDigits = 0;
    this.lineBytes = 0;
    this.trailerBytes = 0;
    this.phase = this.left === 0 ? 'trailer' : 'data';
    return at;
  }

  /** What may stand behind a size, up to the end of its line; means nothing to us. */
  private extension(bytes: Buffer, from: number, length: number): number {
    const end = bytes.indexOf(lineFeed, from);
    this.lineBytes += (end < 0 ? length : end) - from;
    if (this.lineBytes > maxHeadBytes) throw new ResponseFormatError('the line of a chunk is too long');
    return end < 0 ? length : this.sized(end + 1);
  }

  private data(bytes: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + this.left);
    this.left -= end - at;
    if (this.left === 0 && this.phase === 'data') this.phase = 'data end';
    this.events.onBody(bytes.subarray(at, end));
    if (this.left === 0 && this.phase === 'length') this.phase = 'complete';
    return end;
  }

  private dataEnd(bytes: Buffer, at: number): number {
    const byte = bytes[at];
    if (byte === carriageReturn && this.sizeDigits === 0) {
      if (bytes[at + 1] === lineFeed) {
        this.phase = 'size';
        return at + 2;
      }
      // One for the carriage return that was seen: the line feed comes with the next bytes.
      this.sizeDigits = 1;
      return at + 1;
    }
    if (byte !== lineFeed) throw new ResponseFormatError('a chunk of the answer is longer than its size');
    this.sizeDigits = 0;
    this.phase = 'size';
    return at + 1;
  }

  /** Fields behind the last chunk are passed over; an empty line ends them. */
  private trailer(bytes: Buffer, at: number): number {
    const byte = bytes[at];
    this.trailerBytes += 1;
    if (this.trailerBytes > maxHeadBytes) throw new ResponseFormatError('the trailer of the answer is too long');
    if (byte === lineFeed) {
      if (this.lineBytes === 0) this.phase = 'complete';
      this.lineBytes = 0;
    } else if (byte !== carriageReturn) this.lineBytes += 1;
    return at + 1;
  }
}

/** Whether it is HTTP/1.x as far as it has come: what is not may never end, and would be waited for in vain. */
function isHttp(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, version.length);
  return bytes.compare(version, 0, length, 0, length) === 0;
}

function parseHead(head: string): { status: number; headers: Map<string, string>; isOld: boolean } {
  const [line = '', ...fields] = head.split('\r\n');
  const start = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(line);
  if (start === null) throw new ResponseFormatError('what answers does not speak HTTP/1.1');
  const headers = new Map<string, string>();
  for (const field of fields) {
    const colon = field.indexOf(':');
    if (colon <= 0 || /\s/.test(field.slice(0, colon)))
      throw new ResponseFormatError('a header of the answer is unreadable');
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    if (name === 'content-length' && (headers.get(name) ?? value) !== value)
      throw new ResponseFormatError('the answer has two lengths');
    headers.set(name, value);
  }
  return { status: Number(start[2]), headers, isOld: start[1] === '0' };
}

function isReusable(headers: ReadonlyMap<string, string>, isOld: boolean): boolean {
  const connection = headers.get('connection')?.toLowerCase() ?? '';
  return isOld ? connection.includes('keep-alive') : !connection.includes('close');
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
