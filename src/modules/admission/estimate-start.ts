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
  /** Used while nothing was measured: ms for each task ahead. */
  readonly hintMs: number;
}

/**
 * Milliseconds until a task starts. The tasks ahead share the slots: (tokens ahead / speed + prompt time of each) / slots, plus half of an
 * average task for the slot that must come free first (the mean residual of a running task that is equally likely anywhere in its run).
 */
export function estimateStartMs(facts: StartFacts): number {
  if (facts.freeSlots > 0 && facts.position === 0) return 0;
  const slots = Math.max(1, facts.slots);
  const { tokensPerS, firstTokenMs } = facts;
  if (tokensPerS === null || firstTokenMs === null || tokensPerS <= 0)
    return Math.round((facts.hintMs * (facts.position + 1)) / slots);
  const workAhead = (facts.tokensAhead / tokensPerS) * 1000 + facts.position * firstTokenMs;
  const averageTask = facts.position > 0 ? workAhead / facts.position : firstTokenMs;
  return Math.round(workAhead / slots + averageTask / 2 / slots);
}
