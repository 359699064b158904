import { performance } from 'node:perf_hooks';

// hrtime is CLOCK_MONOTONIC, the same for every process of this machine, but allocates; performance.now() is cheap and
// runs on the same clock from another zero. One offset joins them, so a stamp made in one process is read in another.
function offsetToMonotonicUs() {
  let best = Infinity;
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const relativeUs = performance.now() * 1000;
    const [seconds, nanoseconds] = process.hrtime();
    best = Math.min(best, seconds * 1e6 + nanoseconds / 1000 - relativeUs);
  }
  return best;
}

const offsetUs = offsetToMonotonicUs();

/** Microseconds on the machine-wide monotonic clock. */
export function nowUs() {
  return offsetUs + performance.now() * 1000;
}

/** The present moment as a short token text; `readStampUs` is its inverse. */
export function makeStamp() {
  return Math.floor(nowUs()).toString(36);
}

/** @param {string} text a token such as ` 1a2b3c`; NaN when it carries no stamp */
export function readStampUs(text) {
  return Number.parseInt(text.charCodeAt(0) === 32 ? text.slice(1) : text, 36);
}
