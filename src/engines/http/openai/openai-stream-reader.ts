import { EngineError, defaultMaxLineBytes, type EngineEndpoint, type EngineSink } from '../../engine-adapter.port.js';
import { streamErrorOf } from '../engine-errors.js';
import type { StreamReader } from '../engine-work.js';
import { FrameTemplate } from '../frame-template.js';
import { parseFrame } from '../parse-frame.js';
import { SseReader } from '../sse-reader.js';

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
export class OpenAiStreamReader implements StreamReader {
  private readonly sse: SseReader;
  private readonly template: FrameTemplate;
  private isOver = false;
  private texts = 0;
  private finishReason: string | null = null;
  private tokensIn: number | null = null;
  private tokensOut: number | null = null;

  /** @param field that holds the texts */
  constructor(
    private readonly sink: EngineSink,
    private readonly endpoint: EngineEndpoint,
    field: 'content' | 'text',
  ) {
    this.template = new FrameTemplate(field);
    this.sse = new SseReader((data) => this.frame(data), endpoint.maxLineBytes ?? defaultMaxLineBytes);
  }

  /** Throws when the bytes are no stream of this kind. */
  push(chunk: Buffer): void {
    if (!this.isOver) this.sse.push(chunk);
  }

  /** The connection ended in good order: fine once the server has said why it finished, also where it leaves `[DONE]` out. */
  finish(): void {
    if (!this.isOver) this.conclude();
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
    const text = this.template.match(data);
    if (text !== null) this.token(text);
    else if (data === '[DONE]') this.conclude();
    else this.tell(parseFrame(data), data);
  }

  private tell(chunk: Chunk, data: string): void {
    const error = chunk.error ?? (chunk.object === 'error' ? chunk : undefined);
    if (error !== undefined) {
      this.fail(streamErrorOf(error, this.endpoint, this.texts > 0));
      return;
    }
    this.noteUsage(chunk.usage);
    const choice = chunk.choices?.[0];
    if (choice === undefined) return;
    const text = textOf(choice);
    if (text !== '') this.token(text);
    if (typeof choice.finish_reason === 'string') this.finishReason = choice.finish_reason;
    else if (text !== '' && isAbsent(chunk.usage)) this.template.learn(data, text);
  }

  private token(text: string): void {
    this.texts += 1;
    this.sink.onToken(text);
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
      this.fail(
        new EngineError('WORKER_RESET', 'The engine ended its stream too early.', { afterFirstByte: this.texts > 0 }),
      );
      return;
    }
    this.isOver = true;
    this.sink.onEnd({
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
