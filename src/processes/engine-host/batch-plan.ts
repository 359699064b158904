import type { Generation } from './generation.js';
import type { Slot } from './slot.js';

/** What a slot adds to a batch. */
export interface Share {
  slot: Slot;
  generation: Generation;
  tokens: readonly number[];
}

/**
 * The batches of one round, in which every slot that generates takes a step.
 *
 * What a batch computes for a slot depends on its other rows: kernels are chosen by their number, and all sequences are padded to the longest.
 * So a run with a seed has batches to itself, its prompt in pieces that depend on nothing else; everything else shares one. Only the first of the
 * prompts that are read alone gets its turn, so that a round stays short for those who generate.
 */
export function planRound(busy: readonly Slot[], batchSize: number): Share[][] {
  const seeded = busy.filter((slot) => slot.generation?.isSeeded === true);
  const others = busy.filter((slot) => !seeded.includes(slot));
  const [reading] = seeded.filter((slot) => slot.pending.length > 1).sort((a, b) => a.lastUsed - b.lastUsed);
  const alone = seeded.filter((slot) => slot.pending.length === 1 || slot === reading);
  const batches = [shareBatch(others, batchSize), ...alone.map((slot) => shareBatch([slot], batchSize))];
  return batches.filter((batch) => batch.length > 0);
}

/** Those that generate come first, then as much of the prompts as there is room for. */
function shareBatch(slots: readonly Slot[], batchSize: number): Share[] {
  let free = batchSize;
  const batch: Share[] = [];
  for (const slot of [...slots].sort((a, b) => a.pending.length - b.pending.length)) {
    const tokens = slot.pending.slice(0, free);
    free -= tokens.length;
    if (slot.generation && tokens.length > 0) batch.push({ slot, generation: slot.generation, tokens });
  }
  return batch;
}
