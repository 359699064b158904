import { EngineError, type EngineSink } from '../engine-adapter.port.js';
import { saysWhole } from '../http/finish-reason.js';

/** What one response of a model tells, of either transport; absent: not told. */
export interface TritonResponse {
  readonly text: string;
  readonly finishReason?: string | undefined;
  readonly tokensIn?: number | undefined;
  readonly tokensOut?: number | undefined;
}

/**
 * Puts the responses of a model together. vLLM's backend says why it finished and counts tokens; TensorRT-LLM's says neither: its responses
 * are counted, one a token.
 */
export class TritonOutput {
  private isOver = false;
  private texts = 0;
  private tokensIn = 0;
  private countedOut: number | null = null;
  private finishReason: string | null = null;

  constructor(
    private readonly sink: EngineSink,
    private readonly maxTokens: number,
    /** Whether the model says why it finished: then an end without a reason is a loss. */
    private readonly tellsReason: boolean,
  ) {}

  get isDone(): boolean {
    return this.isOver;
  }

  get hasBegun(): boolean {
    return this.texts > 0;
  }

  response({ text, finishReason, tokensIn, tokensOut }: TritonResponse): void {
    if (this.isOver) return;
    if (tokensIn !== undefined) this.tokensIn = tokensIn;
    if (tokensOut !== undefined) this.countedOut = (this.countedOut ?? 0) + tokensOut;
    // `None` is how Python spells that there is none yet.
    if (finishReason !== undefined && finishReason !== 'None') this.finishReason = finishReason;
    if (text !== '') this.token(text);
    if (this.tellsReason && this.finishReason !== null) this.finish();
  }

  /** A text that means one more token, and nothing else. */
  token(text: string): void {
    if (this.isOver) return;
    this.texts += 1;
    this.sink.onToken(text);
  }

  /** The model has said all. */
  finish(): void {
    if (this.isOver) return;
    if (this.tellsReason && !saysWhole(this.finishReason)) {
      const lost = { afterFirstByte: this.hasBegun };
      this.fail(new EngineError('WORKER_RESET', 'The engine ended its stream too early.', lost));
      return;
    }
    this.isOver = true;
    const tokensOut = this.countedOut ?? this.texts;
    const isLength = this.finishReason === null ? tokensOut >= this.maxTokens : this.finishReason === 'length';
    this.sink.onEnd({ tokensIn: this.tokensIn, tokensOut, finishReason: isLength ? 'length' : 'stop' });
  }

  fail(error: EngineError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.sink.onError(error);
  }

  stop(): void {
    this.isOver = true;
  }
}
