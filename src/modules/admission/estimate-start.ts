/** What is known of a pool's speed and load. */
export interface StartFacts {
  /** Waiting tasks that start before this one. */
  readonly position: number;
  readonly slots: number;
  readonly freeSlots: number;
  /** Tokens the tasks ahead in line are expected to make. */
  readonly tokensAhead: number;
  /** Measured decode speed of one task, tokens/s; null before the first. */
  readonly tokensPerS: number | null;
  /** Measured time to first token, ms; null before the first. */
  readonly firstTokenMs: number | null;
  /** Measured output of a task, tokens; null before the first. */
  readonly taskTokens: number | null;
  /** Used while nothing was measured: ms for each task ahead. */
  readonly hintMs: number;
}

/**
 * Milliseconds until a task starts. The tasks ahead share the slots: (tokens ahead / speed + prompt time of each) / slots. Before that, one
 * of the running tasks must end: of n tasks, each equally likely anywhere in its run, the first ends after 1/(n+1) of a run on average.
 */
export function estimateStartMs(facts: StartFacts): number {
  if (facts.freeSlots > 0 && facts.position === 0) return 0;
  const slots = Math.max(1, facts.slots);
  const { tokensPerS, firstTokenMs } = facts;
  if (tokensPerS === null || firstTokenMs === null || tokensPerS <= 0)
    return Math.round((facts.hintMs * (facts.position + 1)) / slots);
  const workAhead = (facts.tokensAhead / tokensPerS) * 1000 + facts.position * firstTokenMs;
  const guessedRun = facts.position > 0 ? workAhead / facts.position : firstTokenMs;
  const run = facts.taskTokens === null ? guessedRun : firstTokenMs + (facts.taskTokens / tokensPerS) * 1000;
  return Math.round(workAhead / slots + run / (slots + 1));
}
