import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { framesFrom, httpChunk, type LogChunk } from './log-chunk.js';

const heartbeat = Buffer.from(': heartbeat\n\n');
const retryHint = Buffer.from('retry: 1000\n\n');

const nothing = (): void => undefined;
const lastChunk = Buffer.from('0\r\n\r\n', 'latin1');

/**
 * One reader's HTTP answer. Frames are written as ready-made HTTP/1.1 chunks (RFC 9112 §7.1), one write for a log chunk, shared by all
 * readers: Node's own chunked encoding would make three writes of each. HTTP/1.0 knows no chunks: there the connection ends with the stream. A
 * reader for whom more than `bufferBytes` wait unsent when the next write comes is cut off: it resumes with Last-Event-ID. Who writes old events
 * waits for `drained` instead.
 */
export class SseConnection {
  private isOpen = true;
  private readonly isChunked: boolean;
  /** The socket once it is ours (it is not while an earlier answer on the same connection goes out): what Node does around it costs more. */
  private out: Writable;
  private onDrained: () => void = nothing;

  /** @param onGone called once when the client or we end the connection before the stream's end */
  constructor(
    private readonly response: ServerResponse,
    private readonly options: { readonly verbose: boolean; readonly bufferBytes: number; readonly onGone: () => void },
    headers: Readonly<Record<string, string>>,
  ) {
    this.isChunked = response.req.httpVersion !== '1.0';
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      ...(this.isChunked ? { 'Transfer-Encoding': 'chunked' } : {}),
    });
    response.flushHeaders();
    response.chunkedEncoding = false; // From here on we write the chunks' framing ourselves.
    response.socket?.setNoDelay(true);
    response.on('close', this.onClose);
    this.out = response.socket ?? response;
    this.out.on('drain', this.onDrain);
    this.put(this.wireOf(retryHint));
  }

  /** Writes the events of a chunk from id `from` on. */
  write(chunk: LogChunk, from: number): void {
    if (!this.isOpen) return;
    const { verbose } = this.options;
    // An empty HTTP chunk would end the answer.
    if (chunk.isEmpty) return;
    if (from <= chunk.first && this.isChunked) {
      this.put(chunk.httpChunk(verbose));
      return;
    }
    const rest = framesFrom(chunk, from, verbose);
    if (rest.length > 0) this.put(this.wireOf(rest));
  }

  /** Null when the client takes what is written; else resolves when it has, or is gone. At most one waits at a time. */
  drained(): Promise<void> | null {
    if (!this.out.writableNeedDrain) return null;
    return new Promise((resolve) => {
      this.onDrained = resolve;
    });
  }

  /** Says that we live, unless events wait to be sent anyway. */
  heartbeat(): void {
    if (this.isOpen && !this.out.writableNeedDrain) this.put(this.wireOf(heartbeat));
  }

  /** Ends the answer after everything written so far. */
  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.isChunked) this.response.end(lastChunk);
    else this.response.end();
  }

  /** Cuts the connection: the client sees a broken stream and resumes. */
  cut(): void {
    this.response.destroy();
  }

  private wireOf(frames: Buffer): Buffer {
    return this.isChunked ? httpChunk(frames) : frames;
  }

  private put(bytes: Buffer): void {
    if (this.out.destroyed) return;
    if (this.out.writableLength > this.options.bufferBytes) this.cut();
    // A chunk is a part of something larger, which must not stay in memory for as long as a slow reader leaves it waiting.
    else this.out.write(this.out.writableLength > 0 ? Buffer.copyBytesFrom(bytes) : bytes);
  }

  private readonly onDrain = (): void => this.onDrained();

  private readonly onClose = (): void => {
    this.out.off('drain', this.onDrain);
    this.onDrained();
    if (!this.isOpen) return;
    this.isOpen = false;
    this.options.onGone();
  };
}
