import { validateHeaderName, validateHeaderValue, type IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { ResponseReader } from './response-reader.js';

/** The connection that carries an exchange, as far as the exchange knows it. */
export interface ExchangeLine {
  pause(): void;
  resume(): void;
  cut(): void;
}

/** One request and its answer, told to a handler of undici's kind. Nothing is told after the end, a failure or an abort. */
export class LeanExchange implements Dispatcher.DispatchController {
  aborted = false;
  reason: Error | null = null;
  /** Milliseconds the engine may be silent: before its head, and within its body; 0: as long as it likes. */
  readonly headMs: number;
  readonly bodyMs: number;
  hasHead = false;
  /** Whether a byte of an answer has come. */
  isAnswered = false;
  /** Whether it was sent over a connection that broke, before the one that carries it now. */
  wasSent = false;
  private line: ExchangeLine | null = null;
  private isOver = false;
  private keepAliveHintMs: number | null = null;
  private readonly reader = new ResponseReader({
    onHead: (status, headers) => {
      this.hasHead = true;
      const timeout = /(?:^|,)\s*timeout=(\d+)/i.exec(headers.get('keep-alive') ?? '')?.[1];
      this.keepAliveHintMs = timeout === undefined ? null : Number(timeout) * 1000;
      this.handler.onResponseStart?.(this, status, Object.fromEntries(headers) as IncomingHttpHeaders);
    },
    onBody: (bytes) => {
      if (!this.isOver) this.handler.onResponseData?.(this, bytes);
    },
  });

  private constructor(
    /** The request as it goes over the wire. */
    readonly wire: string,
    options: Dispatcher.DispatchOptions,
    private readonly handler: Dispatcher.DispatchHandler,
  ) {
    this.headMs = options.headersTimeout ?? 0;
    this.bodyMs = options.bodyTimeout ?? 0;
  }

  /** Null when it ended before it began: it was aborted, or can't be written. The handler has been told. */
  static begin(
    origin: URL,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): LeanExchange | null {
    let wire = '';
    let fault: Error | null = null;
    try {
      wire = wireOf(origin, options);
    } catch (error) {
      fault = error instanceof Error ? error : new Error(String(error));
    }
    const exchange = new LeanExchange(wire, options, handler);
    handler.onRequestStart?.(exchange, null);
    if (fault !== null) exchange.fail(fault);
    return exchange.isOver ? null : exchange;
  }

  /** A connection took it up. */
  attach(line: ExchangeLine): void {
    this.line = line;
  }

  get paused(): boolean {
    return this.reader.isPaused;
  }

  /** Whether all has come that will. */
  get isDone(): boolean {
    return this.isOver || this.reader.isComplete;
  }

  /** @returns how many bytes were taken; the rest is for when it goes on */
  read(bytes: Buffer): number {
    this.isAnswered = true;
    try {
      return this.reader.push(bytes);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      return bytes.length;
    }
  }

  /** The other side ended the connection. */
  readEnd(): void {
    if (this.isOver || this.reader.isComplete || this.reader.finish()) return;
    this.fail(Object.assign(new Error('the engine closed the connection'), { code: 'UND_ERR_SOCKET' }));
  }

  /** Tells the end of a whole answer. @returns how the connection may be used again; null: it may not */
  finish(): { readonly keepAliveHintMs: number | null } | null {
    if (this.isOver) return null;
    this.isOver = true;
    this.handler.onResponseEnd?.(this, {});
    return this.reader.mayReuse ? { keepAliveHintMs: this.keepAliveHintMs } : null;
  }

  fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.line?.cut();
    this.handler.onResponseError?.(this, this.wasSent ? Object.assign(error, { wasSent: true }) : error);
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }

  pause(): void {
    if (this.paused) return;
    this.reader.isPaused = true;
    this.line?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.reader.isPaused = false;
    this.line?.resume();
  }
}

/** A request of RFC 9112. Throws for what can't stand in one: nothing that a client sent may add a header. */
function wireOf(origin: URL, { path, method, headers, body }: Dispatcher.DispatchOptions): string {
  if (/[^\u0021-\u00ff]/.test(path))
    throw new TypeError('the path of the request has a character that no path may have');
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${origin.host}`, 'connection: keep-alive'];
  for (const [name, value] of Object.entries((headers ?? {}) as Readonly<Record<string, string>>)) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    lines.push(`${name}: ${value}`);
  }
  const text = typeof body === 'string' ? body : '';
  if (text !== '' || method === 'POST') lines.push(`content-length: ${Buffer.byteLength(text)}`);
  return `${lines.join('\r\n')}\r\n\r\n${text}`;
}
