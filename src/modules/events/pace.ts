import { performance } from 'node:perf_hooks';

const measureMs = 100;
/** Chunks a second: below, a millisecond brings none together; above, the way to Redis itself gathers enough. */
const gatherFrom = 800;
const gatherTo = 6000;

/**
 * How long to gather tokens before they are sent. Each call costs two system calls and wakes another process, whatever it carries: at a
 * middling rate a millisecond halves the calls. Otherwise nothing waits.
 */
export class Pace {
  private rate = 0;
  private counted = 0;
  private measuredAt = performance.now();

  /** Something new came in. */
  count(): void {
    this.counted += 1;
  }

  /** Milliseconds to wait before the next call. */
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
