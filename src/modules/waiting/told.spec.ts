import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDue, isNews, readTold, writeTold, type Told } from './told.js';

const told: Told = { count: 3, atMs: 10_000, position: 3, startMs: 8000, isStuck: false };
const news = { position: 3, startMs: 6000, isStuck: false };

describe('what is news to a waiting reader', () => {
  it('is anything to one who was told nothing', () => {
    expect(isDue(null, 0, 1000)).toBe(true);
    expect(isNews(null, news, 0)).toBe(true);
  });

  it('is not that time goes by as predicted', () => {
    expect(isNews(told, news, 12_000)).toBe(false);
    expect(isNews(told, { ...news, startMs: 6900 }, 12_000)).toBe(false);
  });

  it.each([
    ['another place', told, { ...news, position: 2 }],
    ['a start much later than predicted', told, { ...news, startMs: 9000 }],
    ['a prediction where there was none', { ...told, startMs: null }, news],
    ['that nothing can be predicted any more', told, { ...news, startMs: null }],
    ['that its pool is not ready', told, { ...news, isStuck: true }],
    ['that it is again', { ...told, isStuck: true }, news],
  ])('is %s', (_, before, now) => {
    expect(isNews(before, now, 12_000)).toBe(true);
  });

  it('is, far from the head of a long line, only a place that is nearer by a sixteenth', () => {
    const far = { ...told, position: 1600, startMs: null };
    expect(isNews(far, { ...news, position: 1501, startMs: null }, 12_000)).toBe(false);
    expect(isNews(far, { ...news, position: 1500, startMs: null }, 12_000)).toBe(true);
  });
});

describe('how often a waiting reader is told', () => {
  it('is at most once in the pause, then ever less often, and never for ever', () => {
    expect(isDue(told, 10_999, 1000)).toBe(false);
    expect(isDue(told, 11_000, 1000)).toBe(true);
    const times = (waitMs: number): number => {
      let [count, atMs] = [0, 0];
      for (let now = 0; now <= waitMs; now += 1000)
        if (isDue({ ...told, count, atMs }, now, 1000)) [count, atMs] = [count + 1, now];
      return count;
    };
    expect(times(30_000)).toBe(30);
    expect(times(600_000)).toBeLessThan(80);
    expect(times(86_400_000)).toBeLessThan(250);
    expect(times(7 * 86_400_000)).toBe(256);
  });

  it('is kept in words that are read back as they were', () => {
    const some = fc.record({
      count: fc.nat(),
      atMs: fc.nat(),
      position: fc.nat(),
      startMs: fc.option(fc.nat()),
      isStuck: fc.boolean(),
    });
    fc.assert(
      fc.property(some, (one) => {
        expect(readTold(writeTold(one))).toEqual(one);
      }),
    );
    expect(readTold('')).toBeNull();
  });
});
