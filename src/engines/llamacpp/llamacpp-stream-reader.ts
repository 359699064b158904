import { EngineError, defaultMaxLineBytes, type EngineEndpoint, type EngineSink } from '../engine-adapter.port.js';
import { streamErrorOf } from '../http/engine-errors.js';
import type { StreamReader } from '../http/engine-work.js';
import { parseFrame } from '../http/parse-frame.js';
import { SseReader } from '../http/sse-reader.js';

/** Fields of a frame of `POST /completion` that matter to us; engines may add others. */
interface Frame {
  readonly content?: unknown;
  readonly stop?: unknown;
  readonly stop_type?: unknown;
  readonly tokens_predicted?: unknown;
  readonly tokens_evaluated?: unknown;
  readonly id_slot?: unknown;
  readonly error?: unknown;
}

/**
 * The frame of a token without escapes, as llama-server and our engine host write it: nearly all of them. Any other spelling of the same
 * is parsed as JSON, at five times the cost.
 */
const plainToken = /^\{"index":\d+,"content":"([^"\\]*)","tokens":\[[\d,]*\],"stop":false,/;

/** Turns the stream of `POST /completion` into the calls of an EngineSink. */
export class LlamacppStreamReader implements StreamReader {
  private readonly sse: SseReader;
  private isOver = false;
  private saidPrompt = false;
  private saidSlot = false;
  private sawToken = false;

  /** @param onSlot hears which of the server's slots does the work, with its first frame */
  constructor(
    private readonly sink: EngineSink,
    private readonly endpoint: EngineEndpoint,
    private readonly onSlot: (slot: number) => void = () => undefined,
  ) {
    this.sse = new SseReader((data) => this.frame(data), endpoint.maxLineBytes ?? defaultMaxLineBytes);
  }

  /** Throws when the bytes are no stream of llama.cpp's. */
  push(chunk: Buffer): void {
    if (!this.isOver) this.sse.push(chunk);
  }

  /** The connection ended in good order: fine after the final frame only. */
  finish(): void {
    if (!this.isOver)
      this.fail(
        new EngineError('WORKER_RESET', 'The engine ended its stream too early.', { afterFirstByte: this.sawToken }),
      );
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
    if (this.isOver || data === '[DONE]') return;
    const text = this.saidPrompt ? plainToken.exec(data)?.[1] : undefined;
    if (text !== undefined && text !== '') {
      this.sawToken = true;
      this.sink.onToken(text);
      return;
    }
    this.tell(parseFrame(data));
  }

  private tell(frame: Frame): void {
    if (frame.error !== undefined) {
      this.fail(streamErrorOf(frame.error, this.endpoint, this.sawToken));
      return;
    }
    if (!this.saidSlot && typeof frame.id_slot === 'number' && frame.id_slot >= 0) {
      this.saidSlot = true;
      this.onSlot(frame.id_slot);
    }
    if (!this.saidPrompt && typeof frame.tokens_evaluated === 'number') {
      this.saidPrompt = true;
      this.sink.onPrompt(frame.tokens_evaluated);
    }
    if (typeof frame.content === 'string' && frame.content !== '') {
      this.sawToken = true;
      this.sink.onToken(frame.content);
    }
    if (frame.stop === true) this.end(frame);
  }

  private end(frame: Frame): void {
    this.isOver = true;
    this.sink.onEnd({
      tokensIn: typeof frame.tokens_evaluated === 'number' ? frame.tokens_evaluated : 0,
      tokensOut: typeof frame.tokens_predicted === 'number' ? frame.tokens_predicted : 0,
      finishReason: frame.stop_type === 'limit' ? 'length' : 'stop',
    });
  }
}
