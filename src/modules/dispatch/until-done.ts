const firstDelayMs = 50;
const longestDelayMs = 1000;

/** Tries until it works: for the steps of a task that must happen while a store is away for a moment. Rejects once the signal is aborted. */
export async function untilDone<Result>(step: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await step();
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}
