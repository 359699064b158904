/** An engine sent something that is no event stream, or a line over the limit. */
export class SseFormatError extends Error {}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const colon = 0x3a;
const space = 0x20;
const dataField = Buffer.from('data');
const errorField = Buffer.from('error:');
const byteOrderMark = Buffer.from('\uFEFF');

/**
 * Reads server-sent events (WHATWG HTML §9.2.6) from bytes that may be split anywhere, also inside a character. Fed by hand, one call a
 * network chunk; only `data` matters to engines, and what older llama-servers write where they fail: `error: {…}`, read as
 * `data: {"error": {…}}`. Pieces of a split line are kept apart until it ends, so a long line costs its length once.
 */
export class SseReader {
  private pieces: Buffer[] = [];
  private heldBytes = 0;
  private data: string | null = null;
  private hasBegun = false;

  /**
   * @param onData hears the data of each event, several lines joined by a line break
   * @param maxLineBytes longer lines are refused
   * @param shortcut is offered the bytes where an event begins; takes the whole event itself and says where the next one begins, or says -1
   */
  constructor(
    private readonly onData: (data: string) => void,
    private readonly maxLineBytes: number,
    private readonly shortcut: ((bytes: Buffer, from: number) => number) | null = null,
  ) {}

  /** Throws SseFormatError for a line over the limit, and whatever `onData` throws. */
  push(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length) {
      const next = this.takeShortcut(chunk, start);
      if (next > start) {
        start = next;
        continue;
      }
      const end = chunk.indexOf(lineFeed, start);
      if (end < 0) {
        this.hold(chunk.subarray(start));
        return;
      }
      this.line(chunk, start, end);
      start = end + 1;
    }
  }

  /** @returns where the next event begins; -1: it is read line by line */
  private takeShortcut(chunk: Buffer, start: number): number {
    const isBetweenEvents = this.data === null && this.heldBytes === 0;
    if (this.shortcut === null || !isBetweenEvents || chunk.length > this.maxLineBytes) return -1;
    return this.shortcut(chunk, start);
  }

  private line(chunk: Buffer, start: number, end: number): void {
    if (this.pieces.length === 0) {
      if (end - start > this.maxLineBytes) this.refuse();
      this.take(chunk, start, end);
      return;
    }
    this.hold(chunk.subarray(start, end));
    const whole = Buffer.concat(this.pieces, this.heldBytes);
    this.pieces = [];
    this.heldBytes = 0;
    this.take(whole, 0, whole.length);
  }

  private take(bytes: Buffer, from: number, lineEnd: number): void {
    const start = this.hasBegun || !hasAt(bytes, from, lineEnd, byteOrderMark) ? from : from + byteOrderMark.length;
    this.hasBegun = true;
    const end = lineEnd > start && bytes[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
    if (end === start) {
      const data = this.data;
      this.data = null;
      if (data !== null) this.onData(data);
      return;
    }
    const text = textOf(bytes, start, end);
    if (text === null) return;
    this.data = this.data === null ? text : `${this.data}\n${text}`;
  }

  private hold(piece: Buffer): void {
    this.heldBytes += piece.length;
    if (this.heldBytes > this.maxLineBytes) this.refuse();
    // A copy: the bytes lie in a buffer that the next read fills again.
    this.pieces.push(Buffer.from(piece));
  }

  private refuse(): never {
    throw new SseFormatError(`the engine sent a line of more than ${this.maxLineBytes} bytes`);
  }
}

/** What a line adds to the data of its event; null: nothing. */
function textOf(bytes: Buffer, start: number, end: number): string | null {
  if (hasAt(bytes, start, end, errorField))
    return `{"error":${bytes.toString('utf8', start + errorField.length, end)}}`;
  if (!hasAt(bytes, start, end, dataField)) return null;
  const at = start + dataField.length;
  if (at < end && bytes[at] !== colon) return null;
  const from = bytes[at + 1] === space ? at + 2 : at + 1;
  return from >= end ? '' : bytes.toString('utf8', from, end);
}

function hasAt(bytes: Buffer, start: number, end: number, expected: Buffer): boolean {
  return (
    end - start >= expected.length && bytes.compare(expected, 0, expected.length, start, start + expected.length) === 0
  );
}
