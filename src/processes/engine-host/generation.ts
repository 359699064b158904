import { ApiError } from './api-error.js';
import { RANDOM_SEED, type RequestParams } from './completion-request.js';
import type { NativeSampler } from './node-llama-cpp.js';
import { StopMatcher } from './stop-matcher.js';
import { Utf8Holder } from './utf8-holder.js';

export type StopType = 'none' | 'eos' | 'limit' | 'word';

/** Receives what a generation produces; called on the event loop, in order, `ended` or `failed` exactly once. */
export interface GenerationListener {
  /** `text` may be empty while a possible stop word is held back. */
  token(text: string, token: number): void;
  ended(): void;
  failed(error: ApiError): void;
}

export interface Timings {
  /** Prompt tokens reused from the slot's cache. */
  cachedTokens: number;
  /** Prompt tokens evaluated. */
  promptTokens: number;
  promptMs: number;
  predictedTokens: number;
  predictedMs: number;
}

/** One request on its way through a slot: what was asked, what came out, and why it stopped. */
export class Generation {
  decodedTokens = 0;
  cachedTokens = 0;
  /** -1 until a slot takes it. */
  slotId = -1;
  stopType: StopType = 'none';
  stopWord = '';
  isTruncated = false;
  hasNewLine = false;
  private startedMs = 0;
  private firstTokenMs = 0;
  private lastTokenMs = 0;
  private aborted = false;
  private readonly utf8 = new Utf8Holder();
  private readonly stops: StopMatcher;

  constructor(
    readonly id: number,
    readonly promptTokens: readonly number[],
    readonly params: RequestParams,
    readonly sampler: NativeSampler,
    readonly listener: GenerationListener,
  ) {
    this.stops = new StopMatcher(params.stop);
  }

  /** Its text is promised again for the same request, whatever runs beside it. */
  get isSeeded(): boolean {
    return this.params.seed !== RANDOM_SEED;
  }

  get isAborted(): boolean {
    return this.aborted;
  }

  /** Nobody waits any more: nothing is told to the listener from now on. */
  abort(): void {
    this.aborted = true;
  }

  begin(slotId: number, cachedTokens: number): void {
    this.slotId = slotId;
    this.cachedTokens = cachedTokens;
    this.startedMs = performance.now();
  }

  /**
   * Takes the next sampled token and tells the listener what became certain by it.
   * `room` is how many more tokens the context can hold after this one. Returns true when the generation is over.
   */
  accept(token: number, bytes: Buffer, isEndOfGeneration: boolean, room: number): boolean {
    this.decodedTokens += 1;
    this.lastTokenMs = performance.now();
    if (this.decodedTokens === 1) this.firstTokenMs = this.lastTokenMs;
    this.decideLimits(isEndOfGeneration, room);

    const piece = this.utf8.push(bytes);
    const { text, stopWord } = this.stops.push(piece);
    if (stopWord !== undefined) {
      this.stopType = 'word';
      this.stopWord = stopWord;
      this.isTruncated = false;
    }
    const isOver = this.stopType !== 'none';
    const certain = isOver && stopWord === undefined ? text + this.stops.flush() : text;
    if (certain.includes('\n')) this.hasNewLine = true;
    // A generation cut off inside a character ends without its half.
    if (certain !== '' || !this.utf8.isHolding) this.listener.token(certain, token);
    return isOver;
  }

  private decideLimits(isEndOfGeneration: boolean, room: number): void {
    const { maxTokens } = this.params;
    if (isEndOfGeneration) {
      this.stopType = 'eos';
    } else if (maxTokens >= 0 && this.decodedTokens >= maxTokens) {
      this.stopType = 'limit';
    } else if (room <= 0) {
      this.stopType = 'limit';
      this.isTruncated = true;
    }
  }

  get timings(): Timings {
    return {
      cachedTokens: this.cachedTokens,
      promptTokens: this.promptTokens.length - this.cachedTokens,
      promptMs: this.firstTokenMs - this.startedMs,
      predictedTokens: this.decodedTokens,
      predictedMs: this.lastTokenMs - this.firstTokenMs,
    };
  }
}
