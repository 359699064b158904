/**
 * Runs a step with a signal that aborts when `signal` does or time is up. Not `AbortSignal.any`: with a source that lives for weeks it piles up
 * dependents on Node 20 (https://github.com/nodejs/node/issues/54614).
 */
export async function withinTime<Result>(
  limitMs: number,
  signal: AbortSignal,
  step: (within: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(stop, limitMs);
  try {
    return await step(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
