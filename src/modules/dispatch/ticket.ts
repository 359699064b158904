/** A job of a pool's queue as the dispatcher sees it: somebody may be started. */
export interface Ticket {
  /** The task it names: the one it was offered for, or that a worker began with it. */
  readonly taskId: string;
  /** It was offered for a task that had begun without the queue. */
  readonly hasStarted: boolean;
  /** Unix ms */
  readonly offeredMs: number;
  /** Says which task runs with it. Never fails. */
  rename(taskId: string): void;
}
