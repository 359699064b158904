import { performance } from 'node:perf_hooks';

const measureMs = 100;
/** Texts a second: below, a millisecond brings none together; above, a turn brings enough. */
const gatherFrom = 800;
const gatherTo = 6000;

/**
 * How long to gather texts before they are posted. Each message wakes the process and makes it call Redis, whatever it carries: at a middling
 * rate a millisecond halves the messages. Otherwise nothing waits.
 */
export class Pace {
  private rate = 0;
  private counted = 0;
  private measuredAt = performance.now();

  /** A text came in. */
  count(): void {
    this.counted += 1;
  }

  /** Milliseconds to wait before the next message. */
  gatherMs(): number {
    const now = performance.now();
    if (now - this.measuredAt >= measureMs) {
      this.rate = (this.counted * 1000) / (now - this.measuredAt);
      this.counted = 0;
      this.measuredAt = now;
    }
    return this.rate >= gatherFrom && this.rate <= gatherTo ? 1 : 0;
  }
}
