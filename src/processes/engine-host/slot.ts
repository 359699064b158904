import type { Generation } from './generation.js';
import type { NativeContext } from './node-llama-cpp.js';

let useCounter = 0;

/** One sequence of the context: the tokens its cache holds, and the generation that occupies it. */
export class Slot {
  generation: Generation | undefined;
  /** Tokens whose state is in the cache, in order. */
  readonly cells: number[] = [];
  /** Tokens to decode next: what is left of the prompt, later the last sampled token. */
  pending: readonly number[] = [];
  /** Grows with every use, over all slots. */
  lastUsed = 0;
  /** The last generation this slot worked on. */
  lastGeneration: Generation | undefined;
  private forgetOnRelease = false;
  /** How many of the first cells hold what any run with a seed would compute: whole pieces of a prompt, each decoded alone. */
  private seedableCells = 0;

  constructor(
    readonly id: number,
    private readonly context: NativeContext,
    /** Tokens of a prompt that are decoded at once. */
    private readonly pieceSize: number,
  ) {}

  take(generation: Generation): void {
    this.generation = generation;
    this.lastGeneration = generation;
    this.touch();
    this.keep(this.reusable(generation));
    this.pending = generation.promptTokens.slice(this.cells.length);
    generation.begin(this.id, this.cells.length);
  }

  store(tokens: readonly number[]): void {
    const isWholePiece = tokens.length === this.pieceSize && this.seedableCells === this.cells.length;
    for (const token of tokens) this.cells.push(token);
    if (isWholePiece && this.generation?.isSeeded === true) this.seedableCells = this.cells.length;
    this.pending = this.pending.slice(tokens.length);
  }

  release(): void {
    this.generation = undefined;
    this.pending = [];
    this.touch();
    if (this.forgetOnRelease) this.forget();
    this.forgetOnRelease = false;
  }

  /** Drops the cache now, or at the end of the generation that uses it. Returns how many tokens were held. */
  erase(): number {
    const held = this.cells.length;
    if (this.generation === undefined) this.forget();
    else this.forgetOnRelease = true;
    return held;
  }

  forget(): void {
    this.context.disposeSequence(this.id);
    this.cells.length = 0;
    this.seedableCells = 0;
  }

  /** How many cells can serve as the beginning of a generation's prompt. A run with a seed takes only what it would have computed itself. */
  reusable({ params, promptTokens, isSeeded }: Generation): number {
    if (!params.cachePrompt) return 0;
    // At least one token has to be decoded, or there would be nothing to sample from.
    const most = Math.min(promptTokens.length - 1, isSeeded ? this.seedableCells : this.cells.length);
    let length = 0;
    while (length < most && promptTokens[length] === this.cells[length]) length += 1;
    return isSeeded ? length - (length % this.pieceSize) : length;
  }

  /** Keeps the first `length` cells where the model's memory allows, else none. */
  private keep(length: number): void {
    if (length === this.cells.length) return;
    const canKeep =
      length > 0 &&
      this.context.getSequenceKvCacheMinPosition(this.id) === 0 &&
      this.context.removeTokenCellsFromSequence(this.id, length, this.cells.length);
    if (!canKeep) this.forget();
    this.cells.length = Math.min(this.cells.length, length);
    this.seedableCells = Math.min(this.seedableCells, length);
  }

  private touch(): void {
    useCounter += 1;
    this.lastUsed = useCounter;
  }
}
