/**
 * Runs a task when the promises at hand have been seen to: those who were all answered by one message have had their say, and the turn of the
 * event loop goes on. What is left for it first runs first.
 */
export function atBurstsEnd(task: () => void): void {
  process.nextTick(task);
}

/** Resolves behind all that was left for the burst's end before. */
export function burstsEnd(): Promise<void> {
  return new Promise((resolve) => {
    atBurstsEnd(resolve);
  });
}
