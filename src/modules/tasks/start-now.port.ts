import type { Priority } from '../../contract/common.js';
import type { RunRequest } from './run-request.js';

/** A task that is about to be accepted and could begin at once. */
export interface StartableTask {
  readonly taskId: string;
  readonly poolId: string;
  readonly correlationId: string;
  readonly priority: Priority;
  /** Hub whose reader follows from the start; null when nobody reads yet. */
  readonly hubId: string | null;
  readonly request: RunRequest;
  readonly startedFrame: string;
  /** See replicaMarks. */
  readonly marks: readonly string[];
}

/** What a task asks of the replica it gets. */
export interface ReplicaWish {
  /** Where its session ran last: the best one, as long as a slot is free there. Null: nowhere in this pool. */
  readonly homeReplicaId: string | null;
  /** The device mask it must have; null: any. */
  readonly deviceMask: string | null;
  /** Tokens of context it fills. */
  readonly kvTokens: number;
}

/** A task that has begun; exactly one of the two must be called. */
export interface StartedTask {
  /** The row is written: what the engine answered may be shown. */
  confirm(): void;
  /** The row can't be written: stops the engine and leaves no trace. */
  discard(): Promise<void>;
}

/** Begins tasks in this very process when nobody waits and a slot is free. Implemented by the worker role. */
export interface StartNow {
  /** The replica that would take a task of the pool now, as far as is known here; null: none. */
  choose(poolId: string, wish: ReplicaWish): string | null;
  /** Begins the task on that replica; null when it must wait in line after all. */
  start(task: StartableTask, replicaId: string): Promise<StartedTask | null>;
}
