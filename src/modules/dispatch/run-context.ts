/** What to do with the job. `again`: the task is still to be run, by this or another worker. */
export type RunOutcome = 'done' | 'again';

/** How a process stops: runs are told, and wait for none. */
export interface RunContext {
  readonly correlationId: string;
  readonly signal: AbortSignal;
}
