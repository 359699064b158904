import { describe, expect, it } from 'vitest';
import { Strides } from './strides.js';

class Walk {
  nowMs = 1000;
  kept = 0;
  readonly rests: number[] = [];
  readonly stopping = new AbortController();
  readonly strides = new Strides(() => Promise.resolve((this.kept += 1)), this.stopping.signal, {
    now: () => this.nowMs,
    rest: (ms) => {
      this.rests.push(ms);
      this.nowMs += ms;
      return Promise.resolve();
    },
  });

  async page(tookMs: number, isUrgent = false): Promise<void> {
    this.nowMs += tookMs;
    await this.strides.next(isUrgent);
  }
}

describe('Strides', () => {
  it('rests four times as long as a page took, a second at the most, and counts no rest as work', async () => {
    const walk = new Walk();
    await walk.page(10);
    await walk.page(30);
    await walk.page(5000);
    expect(walk.rests).toEqual([40, 120, 1000]);
    expect(walk.kept).toBe(3);
  });

  it('goes on at once where there was something to do', async () => {
    const walk = new Walk();
    await walk.page(10, true);
    expect(walk.rests).toEqual([]);
    expect(walk.kept).toBe(1);
  });

  it('does not keep who stops waiting', async () => {
    const stopping = new AbortController();
    const strides = new Strides(() => Promise.resolve(), stopping.signal, {
      now: (() => {
        let nowMs = 0;
        return () => (nowMs += 600_000);
      })(),
      rest: (_, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(), { once: true });
        }),
    });
    const next = strides.next(false);
    stopping.abort();
    await expect(next).resolves.toBeUndefined();
  });
});
