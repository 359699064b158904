import { FrameReader } from '../http/frame-reader.js';
import { parseFrame } from '../http/parse-frame.js';

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
export class TgiStreamReader extends FrameReader {
  protected frame(data: string): void {
    const text = plainToken.exec(data)?.[1];
    if (text === undefined) this.tell(parseFrame(data));
    else this.token(text);
  }

  private tell({ token, details, error, error_type: type }: Frame): void {
    if (error !== undefined && error !== null) {
      this.refuse({ message: error, type });
      return;
    }
    if (typeof token?.text === 'string' && token.special !== true) this.token(token.text);
    if (typeof details === 'object' && details !== null) this.conclude(details as Record<string, unknown>);
  }

  private conclude({
    input_length: tokensIn,
    generated_tokens: tokensOut,
    finish_reason: reason,
  }: Record<string, unknown>): void {
    this.end({
      tokensIn: typeof tokensIn === 'number' ? tokensIn : 0,
      tokensOut: typeof tokensOut === 'number' ? tokensOut : this.texts,
      finishReason: reason === 'length' ? 'length' : 'stop',
    });
  }
}
