import { connect, type Socket } from 'node:net';
import { bareHost } from '../../../platform/config/bind-address.js';
import type { LeanExchange } from './lean-exchange.js';

/** As large as what Node reads at once. Shared: whoever is handed a part of it uses it before the next read, or copies it. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

export interface ConnectionWatcher {
  /** It may carry another request. @param hintMs how long the server keeps it, where it says. @returns how long to keep it */
  onIdle(hintMs: number | null): number;
  /** The server had closed it, or was about to, when it was used again; nothing of an answer has come. Whoever hears it asks anew. */
  onStale(exchange: LeanExchange): void;
  /** It is closed. */
  onGone(): void;
}

/** One connection to an engine: carries one exchange at a time, and waits idle between them. */
export class LeanConnection {
  private readonly socket: Socket;
  private exchange: LeanExchange | null = null;
  private isConnected = false;
  private isReused = false;
  private hasEnded = false;
  /** Was read, and not taken by an exchange that paused in the middle of it. */
  private rest: Buffer | null = null;
  private readonly connectTimer: NodeJS.Timeout;

  constructor(
    origin: URL,
    private readonly connectMs: number,
    private readonly watcher: ConnectionWatcher,
  ) {
    this.socket = connect({
      host: bareHost(origin),
      port: Number(origin.port === '' ? 80 : origin.port),
      noDelay: true,
      onread: { buffer: readBuffer, callback: this.onRead },
    });
    this.connectTimer = setTimeout(this.onConnectTimeout, connectMs);
    this.socket.on('connect', this.onConnect).on('timeout', this.onTimeout);
    this.socket.on('error', this.onError).on('end', this.onEnd).on('close', this.onClose);
  }

  /** Whether it may carry a request, as far as one can know. */
  get isOpen(): boolean {
    return !this.hasEnded && !this.socket.destroyed;
  }

  /** Sends a request. Call on a new or an idle connection. */
  carry(exchange: LeanExchange): void {
    this.exchange = exchange;
    exchange.attach({
      pause: () => {
        // Whoever pauses may be silent for as long as he likes.
        this.socket.setTimeout(0);
        this.socket.pause();
      },
      // Later: whoever resumes may be in the middle of something.
      resume: () => setImmediate(() => this.goOn(exchange)),
      cut: () => {
        this.exchange = null;
        this.socket.destroy();
      },
    });
    this.socket.ref();
    if (this.isConnected) this.watchSilence(exchange);
    this.socket.write(exchange.wire);
  }

  destroy(): void {
    this.socket.destroy();
  }

  private readonly onConnect = (): void => {
    clearTimeout(this.connectTimer);
    this.isConnected = true;
    if (this.exchange !== null) this.watchSilence(this.exchange);
  };

  private readonly onRead = (length: number): boolean => this.take(readBuffer.subarray(0, length));

  /** @returns whether to read on */
  private take(bytes: Buffer): boolean {
    const { exchange } = this;
    if (exchange === null) {
      // Nobody asked: whatever this is, the connection is out of step.
      this.socket.destroy();
      return false;
    }
    const hadHead = exchange.hasHead;
    const taken = exchange.read(bytes);
    if (exchange.isDone) {
      this.settle(exchange);
      return true;
    }
    if (exchange.paused) {
      // A copy: the buffer is needed by others. The socket reads no more until it is taken.
      if (taken < bytes.length) this.rest = Buffer.from(bytes.subarray(taken));
      return false;
    }
    if (!hadHead && exchange.hasHead) this.watchSilence(exchange);
    return true;
  }

  private goOn(exchange: LeanExchange): void {
    if (this.exchange !== exchange || exchange.paused) return;
    const { rest } = this;
    this.rest = null;
    if (rest !== null && !this.take(rest)) return;
    if (this.exchange === exchange) this.watchSilence(exchange);
    this.socket.resume();
  }

  private readonly onEnd = (): void => {
    this.hasEnded = true;
    if (this.passOn()) return;
    const { exchange } = this;
    if (exchange === null) return;
    exchange.readEnd();
    exchange.finish();
    this.exchange = null;
  };

  private readonly onError = (error: Error): void => {
    if (!this.passOn()) this.exchange?.fail(error);
  };

  private readonly onClose = (): void => {
    clearTimeout(this.connectTimer);
    this.watcher.onGone();
    if (this.passOn()) return;
    this.exchange?.fail(Object.assign(new Error('the connection was closed'), { code: 'UND_ERR_SOCKET' }));
  };

  /**
   * A server may close a connection just when it is used again: llama-server does so after each stream, and has promised to keep it. Such a
   * request is sent again on a new connection (RFC 9112 §9.3.1): an engine keeps nothing of a request whose connection has gone.
   * @returns whether it was passed on
   */
  private passOn(): boolean {
    const { exchange } = this;
    if (exchange === null || !this.isReused || exchange.isAnswered) return false;
    this.exchange = null;
    this.socket.destroy();
    this.watcher.onStale(exchange);
    return true;
  }

  private readonly onTimeout = (): void => {
    const { exchange } = this;
    if (exchange === null) {
      this.socket.destroy();
      return;
    }
    const code = exchange.hasHead ? 'UND_ERR_BODY_TIMEOUT' : 'UND_ERR_HEADERS_TIMEOUT';
    exchange.fail(Object.assign(new Error('the engine was silent for too long'), { code }));
  };

  private readonly onConnectTimeout = (): void => {
    const error = new Error(`connecting took more than ${this.connectMs} ms`);
    this.exchange?.fail(Object.assign(error, { code: 'UND_ERR_CONNECT_TIMEOUT' }));
    this.socket.destroy();
  };

  private watchSilence({ hasHead, headMs, bodyMs }: LeanExchange): void {
    this.socket.setTimeout(hasHead ? bodyMs : headMs);
  }

  /** The answer is whole: the connection waits for the next request where it may. */
  private settle(exchange: LeanExchange): void {
    if (this.exchange === null) return;
    this.exchange = null;
    this.isReused = true;
    const reuse = exchange.finish();
    // Paused to the end: it would stay so, and read nothing of the next answer.
    const keepMs =
      reuse === null || exchange.paused || this.socket.destroyed ? 0 : this.watcher.onIdle(reuse.keepAliveHintMs);
    if (keepMs <= 0) {
      this.socket.destroy();
      return;
    }
    this.socket.setTimeout(keepMs);
    this.socket.unref();
  }
}
