import {
  EngineError,
  defaultMaxLineBytes,
  type EngineEndpoint,
  type EngineSink,
  type EngineUsage,
} from '../engine-adapter.port.js';
import { streamErrorOf } from './engine-errors.js';
import type { StreamReader } from './engine-work.js';
import { SseReader } from './sse-reader.js';

/** A dialect whose stream is server-sent events: what ends it, whoever does, and that nothing is told after that. */
export abstract class FrameReader implements StreamReader {
  protected isOver = false;
  /** Texts told so far. */
  protected texts = 0;
  private readonly sse: SseReader;

  constructor(
    private readonly sink: EngineSink,
    private readonly endpoint: EngineEndpoint,
  ) {
    const onData = (data: string): void => {
      if (!this.isOver) this.frame(data);
    };
    const shortcut = (bytes: Buffer, from: number): number => (this.isOver ? -1 : this.shortcut(bytes, from));
    this.sse = new SseReader(onData, endpoint.maxLineBytes ?? defaultMaxLineBytes, shortcut);
  }

  get isDone(): boolean {
    return this.isOver;
  }

  /** Throws when the bytes are no stream of the dialect. */
  push(chunk: Buffer): void {
    if (!this.isOver) this.sse.push(chunk);
  }

  /** The connection ended in good order: fine after the final frame only, unless the dialect knows better. */
  finish(): void {
    if (!this.isOver) this.breakOff();
  }

  stop(): void {
    this.isOver = true;
  }

  fail(error: EngineError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.sink.onError(error);
  }

  /** The data of one event. */
  protected abstract frame(data: string): void;

  /** Takes a whole event straight from the bytes, where that is cheaper. @returns where the next one begins; -1: it is `frame`'s */
  protected shortcut(_bytes: Buffer, _from: number): number {
    return -1;
  }

  /** Tells a token's text, where there is any: a character that needs several tokens comes with the last of them. */
  protected token(text: string): void {
    if (text === '') return;
    this.texts += 1;
    this.sink.onToken(text);
  }

  protected prompt(tokensIn: number): void {
    this.sink.onPrompt(tokensIn);
  }

  /** What the engine said went wrong. */
  protected refuse(error: unknown): void {
    this.fail(streamErrorOf(error, this.endpoint, this.texts > 0));
  }

  protected breakOff(): void {
    const lost = { afterFirstByte: this.texts > 0 };
    this.fail(new EngineError('WORKER_RESET', 'The engine ended its stream too early.', lost));
  }

  protected end(usage: EngineUsage): void {
    // The sink may have aborted the run at its last token.
    if (this.isOver) return;
    this.isOver = true;
    this.sink.onEnd(usage);
  }
}
