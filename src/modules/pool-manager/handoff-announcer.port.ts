import type { Handoff } from './handoff.js';

/** A handoff, and what its model file told of itself. */
export interface FoundHandoff {
  readonly handoff: Handoff;
  /** What a token of context takes in the KV cache, bytes; null: not known, or not yet. */
  readonly kvBytesPerToken: number | null;
}

/** Tells the rest of the house which engines stand behind replicas by handoff. */
export interface HandoffAnnouncer {
  /**
   * These are all handoffs of a directory now; what was told of the same directory before and is missing is bound no more. Called at every
   * change and every few seconds, so that it heals what was lost on the way. Returns at once and never throws.
   * @param directoryId the same for one directory at every start, another for every other one
   */
  present(directoryId: string, handoffs: readonly FoundHandoff[]): void;
}
