import { setTimeout as sleep } from 'node:timers/promises';

/** How long a walk rests after a page, as a multiple of what the page took. */
const restFactor = 4;
const mostRestMs = 1000;

/** Waits; resolves early when all is to stop. */
type Rest = (ms: number, stopping: AbortSignal) => Promise<void>;

const rest: Rest = async (ms, signal) => {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
};

/**
 * The pace of a walk over many pages, most of which need nothing: it works for a fifth of the time, so that a long line costs those little
 * who add to it. Where there is something to do it goes on at once.
 */
export class Strides {
  private beganMs: number;

  /**
   * @param keep called before each page but the first: says that the walk goes on
   * @param time milliseconds of a clock that never goes back, and how to wait
   */
  constructor(
    private readonly keep: () => Promise<unknown>,
    private readonly stopping: AbortSignal,
    private readonly time: { readonly now: () => number; readonly rest: Rest } = { now: () => performance.now(), rest },
  ) {
    this.beganMs = time.now();
  }

  /** A page is done, and another follows. */
  async next(isUrgent: boolean): Promise<void> {
    const tookMs = this.time.now() - this.beganMs;
    if (!isUrgent) await this.time.rest(Math.min(mostRestMs, tookMs * restFactor), this.stopping);
    await this.keep();
    this.beganMs = this.time.now();
  }
}
