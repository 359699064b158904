import type { EngineEndpoint, EngineSink } from '../../engine-adapter.port.js';
import { FrameReader } from '../frame-reader.js';
import { FrameTemplate } from '../frame-template.js';
import { parseFrame } from '../parse-frame.js';

interface Choice {
  readonly text?: unknown;
  readonly delta?: { readonly content?: unknown } | null;
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
    if (choice === undefined) return;
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

  private conclude(): void {
    // vLLM says `abort` when it was told to stop: by us, who would not listen any more, or because it shuts down.
    if (this.finishReason === null || this.finishReason === 'abort') {
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
  const found = text ?? delta?.content;
  return typeof found === 'string' ? found : '';
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
