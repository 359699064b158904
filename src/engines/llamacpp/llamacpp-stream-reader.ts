import type { EngineEndpoint, EngineSink } from '../engine-adapter.port.js';
import { FrameReader } from '../http/frame-reader.js';
import { parseFrame } from '../http/parse-frame.js';

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
export class LlamacppStreamReader extends FrameReader {
  private saidPrompt = false;
  private saidSlot = false;

  /** @param onSlot hears which of the server's slots does the work, with its first frame */
  constructor(
    sink: EngineSink,
    endpoint: EngineEndpoint,
    private readonly onSlot: (slot: number) => void = () => undefined,
  ) {
    super(sink, endpoint);
  }

  protected frame(data: string): void {
    if (data === '[DONE]') return;
    const text = this.saidPrompt ? plainToken.exec(data)?.[1] : undefined;
    if (text !== undefined && text !== '') this.token(text);
    else this.tell(parseFrame(data));
  }

  private tell(frame: Frame): void {
    if (frame.error !== undefined) {
      this.refuse(frame.error);
      return;
    }
    if (!this.saidSlot && typeof frame.id_slot === 'number' && frame.id_slot >= 0) {
      this.saidSlot = true;
      this.onSlot(frame.id_slot);
    }
    if (!this.saidPrompt && typeof frame.tokens_evaluated === 'number') {
      this.saidPrompt = true;
      this.prompt(frame.tokens_evaluated);
    }
    if (typeof frame.content === 'string') this.token(frame.content);
    if (frame.stop !== true) return;
    this.end({
      tokensIn: typeof frame.tokens_evaluated === 'number' ? frame.tokens_evaluated : 0,
      tokensOut: typeof frame.tokens_predicted === 'number' ? frame.tokens_predicted : 0,
      finishReason: frame.stop_type === 'limit' ? 'length' : 'stop',
    });
  }
}
