/** How often an engine is asked again before its first byte, and how patiently. */
export interface RetryRules {
  /** Tries after the first; 0: none. */
  readonly max: number;
  readonly baseMs: number;
  readonly longestMs: number;
}

/**
 * Capped exponential backoff with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): anything between
 * nothing and the cap, so that those who failed together don't come back together.
 * @param retry 0 for the first one. @param random between 0 and 1
 */
export function backoffMs(retry: number, { baseMs, longestMs }: RetryRules, random: number): number {
  return Math.round(random * Math.min(longestMs, baseMs * 2 ** Math.min(retry, 30)));
}
