import { performance, type EventLoopUtilization } from 'node:perf_hooks';

const measureMs = 100;
const busy = 0.8;
const longestWaitMs = 4;

/**
 * How long to gather tokens before they are sent. Nothing as long as the event loop has time to spare; when it has not, a little longer
 * each time, because fewer and larger calls are the one thing that makes it cheaper.
 */
export class Pace {
  private current = 0;
  private measuredAt = performance.now();
  private before: EventLoopUtilization = performance.eventLoopUtilization();

  /** Milliseconds to wait before the next call. */
  waitMs(): number {
    const now = performance.now();
    if (now - this.measuredAt >= measureMs) {
      const total = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(total, this.before);
      this.before = total;
      this.measuredAt = now;
      this.current = utilization > busy ? Math.min(this.current + 1, longestWaitMs) : Math.max(this.current - 1, 0);
    }
    return this.current;
  }
}
