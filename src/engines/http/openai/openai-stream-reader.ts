import type { EngineEndpoint, EngineError, EngineSink } from '../../engine-adapter.port.js';
import { saysWhole } from '../finish-reason.js';
import { FrameReader } from '../frame-reader.js';
import { FrameTemplate } from '../frame-template.js';
import { parseFrame } from '../parse-frame.js';

interface Choice {
  readonly text?: unknown;
  readonly delta?: { readonly content?: unknown; readonly refusal?: unknown } | null;
  readonly finish_reason?: unknown;
}

/** Fields of a chunk that matter to us; servers add others. */
interface Chunk {
  readonly object?: unknown;
  readonly error?: unknown;
  readonly usage?: unknown;
  readonly choices?: readonly Choice[];
}

/**
 * Turns the stream of `POST /v1/completions` (texts in `choices[0].text`) or `POST /v1/chat/completions` (in `choices[0].delta.content`) into
 * the calls of an EngineSink. The stream ends with `data: [DONE]`; the chunk before carries the usage and no choice.
 * https://platform.openai.com/docs/api-reference/chat-streaming · https://platform.openai.com/docs/api-reference/completions/object
 */
export class OpenAiStreamReader extends FrameReader {
  private readonly template: FrameTemplate;
  private finishReason: string | null = null;
  private tokensIn: number | null = null;
  private tokensOut: number | null = null;

  /** @param field that holds the texts */
  constructor(sink: EngineSink, endpoint: EngineEndpoint, field: 'content' | 'text') {
    super(sink, endpoint);
    this.template = new FrameTemplate(field);
  }

  /** The connection ended in good order: fine once the server has said why it finished, also where it leaves `[DONE]` out. */
  override finish(): void {
    if (!this.isOver) this.conclude();
  }

  /** A loss behind the whole answer costs its usage, and nothing else: who went on from there would say more than the model did. */
  override fail(error: EngineError): void {
    if (this.isOver || !this.isWhole) super.fail(error);
    else this.conclude();
  }

  protected frame(data: string): void {
    const text = this.template.match(data);
    if (text !== null) this.token(text);
    else if (data === '[DONE]') this.conclude();
    else this.tell(parseFrame(data), data);
  }

  private tell(chunk: Chunk, data: string): void {
    const error = chunk.error ?? (chunk.object === 'error' ? chunk : undefined);
    if (error !== undefined) {
      this.refuse(error);
      return;
    }
    this.noteUsage(chunk.usage);
    const choice = chunk.choices?.[0];
    if (choice === undefined) {
      // The usage comes last: `[DONE]` would say nothing more, and some servers never say it.
      if (this.isWhole && this.tokensOut !== null) this.conclude();
      return;
    }
    const text = textOf(choice);
    this.token(text);
    if (typeof choice.finish_reason === 'string') this.finishReason = choice.finish_reason;
    else if (text !== '' && isAbsent(chunk.usage)) this.template.learn(data, text);
  }

  private noteUsage(usage: unknown): void {
    if (typeof usage !== 'object' || usage === null) return;
    const { prompt_tokens: prompt, completion_tokens: completion } = usage as Record<string, unknown>;
    if (typeof prompt === 'number') this.tokensIn = prompt;
    if (typeof completion === 'number') this.tokensOut = completion;
  }

  private get isWhole(): boolean {
    return saysWhole(this.finishReason);
  }

  private conclude(): void {
    if (!this.isWhole) {
      this.breakOff();
      return;
    }
    this.end({
      tokensIn: this.tokensIn ?? 0,
      // A server that reports no usage: one frame a token is the custom.
      tokensOut: this.tokensOut ?? this.texts,
      finishReason: this.finishReason === 'length' ? 'length' : 'stop',
    });
  }
}

function textOf({ text, delta }: Choice): string {
  // Where OpenAI's models refuse to follow a schema, they say so in a field of its own: it is all that they answer.
  const found = text ?? delta?.content ?? delta?.refusal;
  return typeof found === 'string' ? found : '';
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
