import { EngineError, type EngineSink } from '../engine-adapter.port.js';
import { SseFormatError, SseReader } from '../http/sse-reader.js';
import { llamacppStreamError } from './llamacpp-error.js';

/** The final frame carries the whole prompt and settings, so lines may be long. */
const maxLineBytes = 16 * 1024 * 1024;

/** Fields of a frame of `POST /completion` that matter to us; engines may add others. */
interface Frame {
  readonly content?: unknown;
  readonly stop?: unknown;
  readonly stop_type?: unknown;
  readonly tokens_predicted?: unknown;
  readonly tokens_evaluated?: unknown;
  readonly error?: unknown;
}

/**
 * The frame of a token without escapes, as llama-server and our engine host write it: nearly all of them. Any other spelling of the same
 * is parsed as JSON, at five times the cost.
 */
const plainToken = /^\{"index":\d+,"content":"([^"\\]*)","tokens":\[[\d,]*\],"stop":false,/;

/** Turns the stream of `POST /completion` into the calls of an EngineSink. */
export class LlamacppStreamReader {
  private readonly sse: SseReader;
  private isOver = false;
  private saidPrompt = false;
  private sawToken = false;

  constructor(private readonly sink: EngineSink) {
    this.sse = new SseReader((data) => this.frame(data), maxLineBytes);
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
    this.tell(readFrame(data));
  }

  private tell(frame: Frame): void {
    if (frame.error !== undefined) {
      this.fail(llamacppStreamError(frame.error));
      return;
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

/** The reason says nothing of what was read: reasons are logged, and output never is. */
function readFrame(data: string): Frame {
  let frame: unknown;
  try {
    frame = JSON.parse(data);
  } catch {
    frame = null;
  }
  if (typeof frame !== 'object' || frame === null)
    throw new SseFormatError('the engine sent an event that is no JSON object');
  return frame;
}
