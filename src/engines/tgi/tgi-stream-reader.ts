import { EngineError, defaultMaxLineBytes, type EngineEndpoint, type EngineSink } from '../engine-adapter.port.js';
import { streamErrorOf } from '../http/engine-errors.js';
import type { StreamReader } from '../http/engine-work.js';
import { parseFrame } from '../http/parse-frame.js';
import { SseReader } from '../http/sse-reader.js';

/** Fields of an event of `POST /generate_stream` that matter to us. */
interface Frame {
  readonly token?: { readonly text?: unknown; readonly special?: unknown } | null;
  readonly details?: unknown;
  readonly error?: unknown;
  readonly error_type?: unknown;
}

/** The event of a token without escapes, as TGI writes it: nearly all of them. Any other spelling is parsed as JSON, at five times the cost. */
const plainToken =
  /^\{"index":\d+,"token":\{"id":\d+,"text":"([^"\\]*)","logprob":[-+.\de]+,"special":false\},"generated_text":null,"details":null\}$/;

/**
 * Turns the stream of `POST /generate_stream` into the calls of an EngineSink. The last event carries `details`. Texts of special tokens, such
 * as the end of the sequence, are no output.
 */
export class TgiStreamReader implements StreamReader {
  private readonly sse: SseReader;
  private isOver = false;
  private sawToken = false;

  constructor(
    private readonly sink: EngineSink,
    private readonly endpoint: EngineEndpoint,
  ) {
    this.sse = new SseReader((data) => this.frame(data), endpoint.maxLineBytes ?? defaultMaxLineBytes);
  }

  /** Throws when the bytes are no stream of TGI's. */
  push(chunk: Buffer): void {
    if (!this.isOver) this.sse.push(chunk);
  }

  /** The connection ended in good order: fine after the last event only. */
  finish(): void {
    if (this.isOver) return;
    const lost = { afterFirstByte: this.sawToken };
    this.fail(new EngineError('WORKER_RESET', 'The engine ended its stream too early.', lost));
  }

  stop(): void {
    this.isOver = true;
  }

  fail(error: EngineError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.sink.onError(error);
  }

  private frame(data: string): void {
    if (this.isOver) return;
    const text = plainToken.exec(data)?.[1];
    if (text === undefined) this.tell(parseFrame(data));
    else this.token(text);
  }

  private tell({ token, details, error, error_type: type }: Frame): void {
    if (error !== undefined) {
      this.fail(streamErrorOf({ message: error, type }, this.endpoint, this.sawToken));
      return;
    }
    if (typeof token?.text === 'string' && token.special !== true) this.token(token.text);
    if (typeof details === 'object' && details !== null) this.end(details as Record<string, unknown>);
  }

  private token(text: string): void {
    // A character that needs several tokens comes with the last of them.
    if (text === '') return;
    this.sawToken = true;
    this.sink.onToken(text);
  }

  private end({
    input_length: tokensIn,
    generated_tokens: tokensOut,
    finish_reason: reason,
  }: Record<string, unknown>): void {
    // The sink may have aborted the run at its last token.
    if (this.isOver) return;
    this.isOver = true;
    this.sink.onEnd({
      tokensIn: typeof tokensIn === 'number' ? tokensIn : 0,
      tokensOut: typeof tokensOut === 'number' ? tokensOut : 0,
      finishReason: reason === 'length' ? 'length' : 'stop',
    });
  }
}
