import { ApiError } from './api-error.js';
import { planRound, type Share } from './batch-plan.js';
import type { Generation } from './generation.js';
import type { Metrics } from './metrics.js';
import { firstLine, type NativeContext } from './node-llama-cpp.js';
import { Slot } from './slot.js';

export interface SchedulerOptions {
  context: NativeContext;
  slots: number;
  /** Tokens each slot can hold. */
  slotContext: number;
  /** Most tokens in one decode step, over all slots. */
  batchSize: number;
  tokenBytes(token: number): Buffer;
  isEndOfGeneration(token: number): boolean;
  metrics: Metrics;
  log(message: string, fields: Record<string, unknown>): void;
}

interface BatchPart extends Share {
  /** Row of the batch's logits to sample from; undefined while the prompt isn't read to its end. */
  row: number | undefined;
}

/**
 * Runs generations on a fixed number of slots, in one batch per step, as llama-server does: those that generate add
 * one token each, the rest of the batch reads prompts. Only what has a seed is decoded apart from all others, so that
 * nothing beside it changes its text. What finds no slot waits its turn.
 */
export class Scheduler {
  readonly slots: readonly Slot[];
  private readonly waiting: Generation[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly options: SchedulerOptions) {
    this.slots = Array.from({ length: options.slots }, (_, id) => new Slot(id, options.context, options.batchSize));
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  get busyCount(): number {
    return this.slots.filter((slot) => slot.generation !== undefined).length;
  }

  submit(generation: Generation): void {
    this.waiting.push(generation);
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  /** Frees the slot of an abandoned generation after the step in progress, or takes it out of the queue now. */
  abort(generation: Generation): void {
    generation.abort();
    const index = this.waiting.indexOf(generation);
    if (index < 0) return;
    this.waiting.splice(index, 1);
    generation.sampler.dispose();
  }

  /** Abandons everything and waits for the native step in progress. */
  async stop(): Promise<void> {
    for (let next = this.waiting[0]; next; next = this.waiting[0]) this.abort(next);
    for (const slot of this.slots) slot.generation?.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    for (;;) {
      this.freeAbandonedSlots();
      this.fillSlots();
      const busy = this.slots.filter((slot) => slot.generation !== undefined);
      if (busy.length === 0) return;
      try {
        for (const batch of planRound(busy, this.options.batchSize)) await this.step(batch, busy.length);
      } catch (error) {
        this.failAll(error);
      }
    }
  }

  private freeAbandonedSlots(): void {
    for (const slot of this.slots) {
      if (slot.generation?.isAborted === true) this.release(slot, slot.generation);
    }
  }

  private fillSlots(): void {
    for (let index = 0; index < this.waiting.length;) {
      const generation = this.waiting[index];
      const slot = generation && this.chooseSlot(generation);
      if (generation === undefined || slot === undefined) {
        index += 1;
        continue;
      }
      this.waiting.splice(index, 1);
      slot.take(generation);
    }
  }

  /** The slot asked for, else the one whose cache fits best, else the one unused for longest. */
  private chooseSlot(generation: Generation): Slot | undefined {
    const { slotId } = generation.params;
    const wanted = this.slots[slotId];
    if (wanted) return wanted.generation === undefined ? wanted : undefined;
    const free = this.slots.filter((slot) => slot.generation === undefined);
    return bestFit(free, generation) ?? free.sort((a, b) => a.lastUsed - b.lastUsed)[0];
  }

  private async step(batch: readonly Share[], busySlots: number): Promise<void> {
    const parts = this.fillBatch(batch.filter(({ generation }) => !generation.isAborted));
    if (parts.length === 0) return;
    await this.options.context.decodeBatch();
    this.options.metrics.countDecode(busySlots);
    for (const part of parts) {
      part.slot.store(part.tokens);
      if (part.row === undefined || part.generation.isAborted) continue;
      const token = await this.options.context.sampleToken(part.row, part.generation.sampler);
      if (!part.generation.isAborted) this.advance(part, token);
    }
  }

  private fillBatch(batch: readonly Share[]): BatchPart[] {
    const { context } = this.options;
    const size = batch.reduce((sum, { tokens }) => sum + tokens.length, 0);
    if (size > 0) context.initBatch(size);
    return batch.map((share) => {
      const { slot, tokens } = share;
      const isComplete = tokens.length === slot.pending.length;
      const wanted = isComplete ? Uint32Array.of(tokens.length - 1) : new Uint32Array(0);
      const rows = context.addToBatch(slot.id, slot.cells.length, Uint32Array.from(tokens), wanted);
      return { ...share, row: rows[0] };
    });
  }

  private advance({ slot, generation }: BatchPart, token: number): void {
    if (token < 0) throw new Error('no token could be sampled');
    const { options } = this;
    const room = options.slotContext - slot.cells.length - 1;
    const isEnd = options.isEndOfGeneration(token);
    const isOver = generation.accept(token, options.tokenBytes(token), isEnd, room);
    if (generation.decodedTokens === 1) options.metrics.countPrompt(generation.timings);
    if (!isOver) {
      slot.pending = [token];
      return;
    }
    this.release(slot, generation);
    generation.listener.ended();
  }

  private release(slot: Slot, generation: Generation): void {
    this.options.metrics.countPrediction(generation.timings, slot.cells.length);
    slot.release();
    generation.sampler.dispose();
  }

  private failAll(error: unknown): void {
    const problem = firstLine(error);
    this.options.log('decoding failed', { problem });
    for (const slot of this.slots) {
      const { generation } = slot;
      if (generation === undefined) continue;
      this.release(slot, generation);
      slot.forget();
      if (!generation.isAborted)
        generation.listener.failed(new ApiError('server_error', `decoding failed: ${problem}`));
    }
  }
}

/** llama-server's rule (--slot-prompt-similarity): a cache is worth keeping when it covers a tenth of the prompt. */
function bestFit(free: readonly Slot[], generation: Generation): Slot | undefined {
  let best: Slot | undefined;
  let bestLength = generation.promptTokens.length * 0.1;
  for (const slot of free) {
    const length = slot.reusable(generation);
    if (length > bestLength) [best, bestLength] = [slot, length];
  }
  return best;
}
