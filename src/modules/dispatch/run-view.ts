import type { Lease, LivePool } from '../pools/index.js';
import type { Claimed } from './claim-task.js';

/** A run attempt: what was claimed, for which task, where. */
export interface RunView {
  readonly pool: LivePool;
  readonly claim: Claimed;
  readonly lease: Lease;
  readonly taskId: string;
  readonly correlationId: string;
}
