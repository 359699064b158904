import { describe, expect, it } from 'vitest';
import { planRound } from './batch-plan.js';
import { parseRequestParams } from './completion-request.js';
import { Generation } from './generation.js';
import { Slot } from './slot.js';

const context = {
  disposeSequence: () => undefined,
  removeTokenCellsFromSequence: () => true,
  getSequenceKvCacheMinPosition: () => 0,
};
const pieceSize = 8;
let nextId = 0;

/** A slot that took a run with a prompt of so many tokens. */
function slotWith(promptTokens: number, seed?: number): Slot {
  const slot = new Slot(nextId, context as never, pieceSize);
  const prompt = Array.from({ length: promptTokens }, (_, token) => token);
  slot.take(new Generation(nextId, prompt, parseRequestParams({ seed }), {} as never, {} as never));
  nextId += 1;
  return slot;
}

/** Of each batch, the slots and how many tokens each adds. */
function shapeOf(slots: readonly Slot[]): [slot: number, tokens: number][][] {
  const place = (slot: Slot): number => slots.indexOf(slot);
  return planRound(slots, pieceSize).map((batch) => batch.map(({ slot, tokens }) => [place(slot), tokens.length]));
}

describe('the batches of a round', () => {
  it('hold together what has no seed: first those that generate, then as much of the prompts as there is room for', () => {
    expect(shapeOf([slotWith(20), slotWith(1), slotWith(3), slotWith(1)])).toEqual([
      [
        [1, 1],
        [3, 1],
        [2, 3],
        [0, 3],
      ],
    ]);
  });

  it('hold each run with a seed alone', () => {
    expect(shapeOf([slotWith(1, 5), slotWith(1), slotWith(1, 0), slotWith(1)])).toEqual([
      [
        [1, 1],
        [3, 1],
      ],
      [[0, 1]],
      [[2, 1]],
    ]);
  });

  it('hold a whole piece of one prompt with a seed, the one that came first', () => {
    const first = slotWith(20, 5);
    const slots = [slotWith(3, 5), first, slotWith(20), slotWith(1, 5)];
    expect(shapeOf([...slots].reverse())).toEqual([[[1, 8]], [[0, 1]], [[2, 8]]]);
  });
});

describe('what a run with a seed takes from the cache of its slot', () => {
  it('is whole pieces that such a run has read, up to where the prompts differ', () => {
    const slot = slotWith(20, 5);
    const { generation } = slot;
    if (generation === undefined) throw new Error('the slot is empty');
    for (const size of [8, 8, 4]) slot.store(slot.pending.slice(0, size));
    const after = (change: object): number =>
      slot.reusable(Object.assign(Object.create(generation) as Generation, change));
    expect(after({})).toBe(16);
    expect(after({ promptTokens: generation.promptTokens.slice(0, 16) })).toBe(8);
    expect(after({ promptTokens: [0, 1, 2] })).toBe(0);
    expect(after({ params: parseRequestParams({}) })).toBe(19);
    expect(after({ params: parseRequestParams({ cache_prompt: false }) })).toBe(0);
  });

  it('is nothing that was read without a seed', () => {
    const slot = slotWith(20);
    const { generation } = slot;
    if (generation === undefined) throw new Error('the slot is empty');
    for (const size of [8, 8, 4]) slot.store(slot.pending.slice(0, size));
    expect(
      slot.reusable(
        Object.assign(Object.create(generation) as Generation, { params: parseRequestParams({ seed: 5 }) }),
      ),
    ).toBe(0);
  });
});
