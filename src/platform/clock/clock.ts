/** Time as a collaborator, so that rules about time can be tested without waiting. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };
