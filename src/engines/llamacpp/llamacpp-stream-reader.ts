import type { EngineEndpoint, EngineSink } from '../engine-adapter.port.js';
import { FrameReader } from '../http/frame-reader.js';
import { parseFrame } from '../http/parse-frame.js';
import { PlainToken } from './plain-token.js';

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

/** Turns the stream of `POST /completion` into the calls of an EngineSink. */
export class LlamacppStreamReader extends FrameReader {
  private saidPrompt = false;
  private saidSlot = false;
  private readonly plainToken = new PlainToken();

  /** @param onSlot hears which of the server's slots does the work, with its first frame */
  constructor(
    sink: EngineSink,
    endpoint: EngineEndpoint,
    private readonly onSlot: (slot: number) => void = () => undefined,
  ) {
    super(sink, endpoint);
  }

  protected frame(data: string): void {
    if (data !== '[DONE]') this.tell(parseFrame(data));
  }

  /** The first frame says more than its text. */
  protected override shortcut(bytes: Buffer, from: number): number {
    const next = this.saidPrompt ? this.plainToken.read(bytes, from) : -1;
    if (next > 0) this.token(this.plainToken.text);
    return next;
  }

  private tell(frame: Frame): void {
    if (frame.error !== undefined && frame.error !== null) {
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
    this.conclude(frame);
  }

  private conclude({ tokens_evaluated: tokensIn, tokens_predicted: tokensOut, stop_type: reason }: Frame): void {
    this.end({
      tokensIn: typeof tokensIn === 'number' ? tokensIn : 0,
      tokensOut: typeof tokensOut === 'number' ? tokensOut : this.texts,
      finishReason: reason === 'limit' ? 'length' : 'stop',
    });
  }
}
