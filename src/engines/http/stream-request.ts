import type { Dispatcher } from 'undici';
import type { EngineAgent } from './lean/lean-agent.js';
import { ResponseFormatError } from './lean/response-reader.js';
import { EngineError, type EngineEndpoint, type EngineStream } from '../engine-adapter.port.js';

/** What a streaming request tells while it runs; exactly one of `onEnd` and `onFailure` comes last, none after an abort. */
export interface StreamHandler {
  onData(chunk: Buffer): void;
  /** The engine ended its answer. */
  onEnd(): void;
  onFailure(error: EngineError): void;
  /** The signal was aborted: nothing of what has come may be told any more, also not the rest of the piece in hand. */
  onAbort?(): void;
  /** An answer of another status than 2xx, with its body; becomes the failure. */
  errorOf(status: number, body: string): EngineError;
}

const maxErrorBodyBytes = 64 * 1024;
/** How long an engine may take to say why it refuses, behind the status that says it does. */
const errorBodyMs = 5000;
/** How long it may take to end an answer of which nothing is wanted any more. */
const lastBytesMs = 1000;

/** An answer that comes in. */
export interface IncomingAnswer extends EngineStream {
  /** All has come that is wanted: unless the answer ends soon, so that its connection may be used again, the connection is closed. */
  letEnd(): void;
}

/** What is asked of an engine. */
export interface EngineCall {
  readonly endpoint: EngineEndpoint;
  /** Below the path of the endpoint's URL, with its leading slash. */
  readonly path: string;
  /** JSON to be posted; null: the call is a GET. */
  readonly body: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** How long the engine may take to begin its answer, ms; absent: the endpoint's `idleMs`, which bounds every later silence. */
  readonly beginMs?: number | undefined;
}

/**
 * Asks an engine and streams the answer into `handler`, synchronously as bytes arrive: undici's dispatch without a stream or a promise
 * between. Aborting the signal closes the connection at once, which is how engines learn that nobody listens. The endpoint's key goes along
 * as a bearer token (RFC 6750 §2.1).
 */
export function streamRequest(
  agent: EngineAgent,
  { endpoint, path, body, headers, beginMs = endpoint.timeouts.idleMs }: EngineCall,
  handler: StreamHandler,
  signal: AbortSignal,
): IncomingAnswer {
  const url = new URL(endpoint.url);
  const exchange = new Exchange(handler, signal, { endpoint, beginMs });
  const basePath = url.pathname.replace(/\/$/, '');
  agent.dispatch(
    {
      origin: url.origin,
      path: basePath + path,
      method: body === null ? 'GET' : 'POST',
      headers: {
        ...(body !== null && { 'content-type': 'application/json' }),
        ...(endpoint.apiKey !== undefined && { authorization: `Bearer ${endpoint.apiKey.reveal()}` }),
        ...headers,
      },
      body,
      headersTimeout: beginMs,
      bodyTimeout: endpoint.timeouts.idleMs,
    },
    exchange,
    endpoint.timeouts.connectMs,
  );
  return exchange;
}

class Exchange implements Dispatcher.DispatchHandler, IncomingAnswer {
  private controller: Dispatcher.DispatchController | null = null;
  private status = 0;
  private errorPieces: Buffer[] = [];
  private errorBytes = 0;
  private sawData = false;
  private isOver = false;
  private patience: NodeJS.Timeout | null = null;

  constructor(
    private readonly handler: StreamHandler,
    private readonly signal: AbortSignal,
    private readonly call: { readonly endpoint: EngineEndpoint; readonly beginMs: number },
  ) {}

  pause(): void {
    this.controller?.pause();
  }

  resume(): void {
    this.controller?.resume();
  }

  letEnd(): void {
    if (this.isOver || this.patience !== null) return;
    this.patience = setTimeout(() => {
      this.finish();
      this.controller?.abort(new Error('the engine did not end its answer'));
    }, lastBytesMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.signal.aborted) this.abort();
    else this.signal.addEventListener('abort', this.abort, { once: true });
  }

  onResponseStart(_: Dispatcher.DispatchController, statusCode: number): void {
    this.status = statusCode;
    if (!this.isSuccess) this.patience = setTimeout(() => this.cutRefusal(), errorBodyMs);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isOver) return;
    if (!this.isSuccess) {
      this.errorBytes += chunk.length;
      // A copy: the bytes lie in a buffer that the next read fills again.
      if (this.errorBytes <= maxErrorBodyBytes) this.errorPieces.push(Buffer.from(chunk));
      else this.cutRefusal();
      return;
    }
    this.sawData = true;
    try {
      this.handler.onData(chunk);
    } catch (error) {
      this.fail(
        new EngineError(
          'WORKER_RESET',
          error instanceof Error ? error.message : 'the engine sent an unreadable stream',
          { afterFirstByte: true },
        ),
      );
      this.controller?.abort(new Error('unreadable stream'));
    }
  }

  onResponseEnd(): void {
    if (this.isOver) return;
    if (!this.isSuccess) {
      this.fail(this.refusal());
      return;
    }
    this.finish();
    this.handler.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (this.isOver) return;
    // Where the reason was cut off, the status still says what the engine meant.
    this.fail(this.status === 0 || this.isSuccess ? lossOf(error, this.call, this.sawData) : this.refusal());
  }

  private refusal(): EngineError {
    return this.handler.errorOf(this.status, Buffer.concat(this.errorPieces).toString('utf8'));
  }

  private cutRefusal(): void {
    this.fail(this.refusal());
    this.controller?.abort(new Error('the engine did not end its refusal'));
  }

  /** Redirects are not followed: the prompt and the key go where the configuration says, and nowhere else. */
  private get isSuccess(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  private fail(error: EngineError): void {
    if (this.isOver) return;
    this.finish();
    this.handler.onFailure(error);
  }

  private finish(): void {
    this.isOver = true;
    if (this.patience !== null) clearTimeout(this.patience);
    this.signal.removeEventListener('abort', this.abort);
  }

  private readonly abort = (): void => {
    this.finish();
    this.handler.onAbort?.();
    this.controller?.abort(new Error('aborted'));
  };
}

/** Codes of connections that were not made, https://nodejs.org/api/errors.html#common-system-errors and undici's: nothing was sent. */
const notConnected: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** A broken connection in our words. */
function lossOf(
  error: Error & { code?: string; wasSent?: boolean },
  { endpoint, beginMs }: { readonly endpoint: EngineEndpoint; readonly beginMs: number },
  afterFirstByte: boolean,
): EngineError {
  const where = `replica ${endpoint.replicaId}`;
  if (error.code === 'UND_ERR_HEADERS_TIMEOUT' || error.code === 'UND_ERR_BODY_TIMEOUT') {
    const silentMs = error.code === 'UND_ERR_HEADERS_TIMEOUT' ? beginMs : endpoint.timeouts.idleMs;
    const message = `The engine of ${where} was silent for ${silentMs} ms.`;
    return new EngineError('DECODE_TIMEOUT', message, { afterFirstByte, cause: error });
  }
  const isUnreadable = error instanceof ResponseFormatError;
  const message = isUnreadable
    ? `The engine of ${where} sent an answer that can't be read: ${error.message}.`
    : afterFirstByte
      ? `The connection to ${where} broke.`
      : `The engine of ${where} can't be reached (${error.code ?? error.message}).`;
  const isAway = !afterFirstByte && notConnected.has(error.code ?? '');
  return new EngineError(afterFirstByte ? 'WORKER_RESET' : 'REPLICA_EXHAUSTED', message, {
    afterFirstByte,
    isAway,
    wasSent: !isAway || error.wasSent === true,
    cause: error,
  });
}
