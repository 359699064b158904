/** What batch tasks that have waited too long get of a pool, whatever interactive tasks do. */
export interface BatchShare {
  /** Slots that may run batch while interactive tasks wait. */
  readonly slots: number;
  /** Interactive tasks that start between two such batch tasks: where the share is less than a slot, it is a share of the starts. */
  readonly between: number;
}

/** @param share of the slots, 0 to 1; 0: batch waits as long as anybody interactive does */
export function batchShare(slots: number, share: number): BatchShare {
  const part = slots * share;
  if (part <= 0) return { slots: 0, between: 0 };
  // A tenth of a slot is every tenth start, whatever floating point makes of it.
  const between = part >= 1 ? 0 : Math.ceil(1 / part - 1e-6) - 1;
  return { slots: Math.ceil(part - 1e-6), between };
}
