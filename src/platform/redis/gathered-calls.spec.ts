import { setImmediate as turnsEnd } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { GatheredCalls } from './gathered-calls.js';

class Trips {
  readonly made: { readonly about: string; readonly items: readonly number[] }[] = [];
  answer = (items: readonly number[]): Promise<number[]> => Promise.resolve(items.map((item) => item * 10));
  readonly calls = new GatheredCalls<string, number, number>((about, items) => {
    this.made.push({ about, items });
    return this.answer(items);
  }, 3);

  add(kind: string, ...items: readonly number[]): Promise<number>[] {
    return items.map((item) => this.calls.add(kind, `about ${kind}`, item));
  }
}

describe('GatheredCalls', () => {
  it('sends what one turn asks for in one trip, and gives each its own answer', async () => {
    const trips = new Trips();
    const answers = trips.add('a', 1, 2);
    expect(trips.made).toEqual([]);
    expect(await Promise.all(answers)).toEqual([10, 20]);
    expect(trips.made).toEqual([{ about: 'about a', items: [1, 2] }]);
  });

  it('sends a full group at once, and the rest when the turn is over', async () => {
    const trips = new Trips();
    const answers = trips.add('a', 1, 2, 3, 4);
    expect(trips.made.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40]);
    expect(trips.made.map(({ items }) => items)).toEqual([[1, 2, 3], [4]]);
  });

  it('begins anew with the next turn, and sends nothing twice', async () => {
    const trips = new Trips();
    await Promise.all(trips.add('a', 1, 2, 3));
    await turnsEnd();
    await Promise.all(trips.add('a', 4));
    await turnsEnd();
    expect(trips.made.map(({ items }) => items)).toEqual([[1, 2, 3], [4]]);
  });

  it('keeps kinds apart', async () => {
    const trips = new Trips();
    await Promise.all([...trips.add('a', 1), ...trips.add('b', 2), ...trips.add('a', 3)]);
    expect(trips.made).toEqual([
      { about: 'about a', items: [1, 3] },
      { about: 'about b', items: [2] },
    ]);
  });

  it('rejects all of a trip that fails, and none of another', async () => {
    const trips = new Trips();
    trips.answer = (items) =>
      items.includes(1) ? Promise.reject(new Error('away')) : Promise.resolve(items.map((item) => item * 10));
    const outcomes = await Promise.allSettled([...trips.add('a', 1, 2), ...trips.add('b', 3)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  });

  it('leaves nobody waiting whom the trip forgot', async () => {
    const trips = new Trips();
    trips.answer = () => Promise.resolve([10]);
    const [first, second] = trips.add('a', 1, 2);
    await expect(first).resolves.toBe(10);
    await expect(second).rejects.toThrow('without an answer');
  });
});
