import type { Lease, LivePool } from '../pools/index.js';
import type { RunRequest } from '../tasks/index.js';

/** A run attempt as the telemetry sees it. */
export interface RunView {
  readonly pool: LivePool;
  readonly claim: { readonly attempt: number; readonly replicaId: string; readonly request: RunRequest };
  readonly lease: Lease;
  readonly taskId: string;
  readonly correlationId: string;
}
