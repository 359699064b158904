import type { EngineId } from '../../contract/common.js';
import type { TaskState } from '../../contract/task-response.js';

/** How a task stands now. */
export interface TaskStanding {
  readonly state: TaskState;
  readonly engine: EngineId;
  readonly poolId: string;
  /** Null before it began. */
  readonly replicaId: string | null;
  readonly cancelOnDisconnect: boolean;
  /** Its transcript; null while it is open, or when it ended before transcripts were kept. */
  readonly artifactId: string | null;
  /** 0 until it has ended. */
  readonly tokensOut: number;
}

/** How some tasks stand. */
export const standingsSql = `
  SELECT task_id, state, engine, pool_id, replica_id, tokens_out, artifact_id, request->>'on_disconnect' AS on_disconnect
  FROM tasks WHERE task_id = ANY($1::uuid[])`;

export interface StandingRow {
  task_id: string;
  state: TaskState;
  engine: EngineId;
  pool_id: string;
  replica_id: string | null;
  tokens_out: number | null;
  on_disconnect: string | null;
  artifact_id: string | null;
}

export function standingOf(row: StandingRow): TaskStanding {
  return {
    state: row.state,
    engine: row.engine,
    poolId: row.pool_id,
    replicaId: row.replica_id,
    cancelOnDisconnect: row.on_disconnect === 'cancel',
    tokensOut: row.tokens_out ?? 0,
    artifactId: row.artifact_id,
  };
}
