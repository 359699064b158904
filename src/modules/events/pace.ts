import { performance, type EventLoopUtilization } from 'node:perf_hooks';

const measureMs = 100;
const busy = 0.8;
const longestWaitMs = 4;
/** Chunks a second: below, a millisecond brings none together; above, the way to Redis itself gathers enough. */
const gatherFrom = 800;
const gatherTo = 6000;

/**
 * How long to gather tokens before they are sent. Each call costs two system calls and wakes another process, whatever it carries: at a
 * middling rate a millisecond halves the calls. A busy event loop gathers longer and longer, because fewer and larger calls are the one
 * thing that makes it cheaper. Otherwise nothing waits.
 */
export class Pace {
  private waitMs = 0;
  private rate = 0;
  private counted = 0;
  private measuredAt = performance.now();
  private before: EventLoopUtilization = performance.eventLoopUtilization();

  /** Something new came in. */
  count(): void {
    this.counted += 1;
  }

  /** Milliseconds to wait before the next call. */
  gatherMs(): number {
    const now = performance.now();
    if (now - this.measuredAt >= measureMs) this.measure(now);
    if (this.waitMs > 0) return this.waitMs;
    return this.rate >= gatherFrom && this.rate <= gatherTo ? 1 : 0;
  }

  private measure(now: number): void {
    const total = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(total, this.before);
    this.waitMs = utilization > busy ? Math.min(this.waitMs + 1, longestWaitMs) : Math.max(this.waitMs - 1, 0);
    this.rate = (this.counted * 1000) / (now - this.measuredAt);
    this.before = total;
    this.counted = 0;
    this.measuredAt = now;
  }
}
