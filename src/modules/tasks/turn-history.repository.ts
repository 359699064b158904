import type { Pool } from 'pg';
import type { Turn, TurnHistory, TurnRecord } from '../sessions/index.js';
import { usedBy } from './turn-usage.js';

interface TurnRow {
  task_id: string;
  turn: Turn;
  tokens_in: number | null;
  tokens_out: number | null;
  decode_time_ms: number | null;
  created_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  pool_id: string;
  replica_id: string | null;
}

const columns =
  'task_id, turn, tokens_in, tokens_out, decode_time_ms, created_at, started_at, ended_at, pool_id, replica_id';

/** The turns of sessions, read from the records of their tasks. */
export class TurnHistoryRepository implements TurnHistory {
  constructor(private readonly pool: Pool) {}

  async latestTurns(sessionId: string): Promise<TurnRecord[]> {
    const found = await this.pool.query<TurnRow>({
      name: 'session-turns',
      text: `SELECT ${columns} FROM tasks WHERE session_id = $1 AND turn->>'generation' = (SELECT turn->>'generation' FROM tasks
        WHERE session_id = $1 AND turn IS NOT NULL ORDER BY created_at DESC, task_id DESC LIMIT 1) ORDER BY created_at, task_id`,
      values: [sessionId],
    });
    return found.rows.map(turnRecord);
  }
}

function turnRecord(row: TurnRow): TurnRecord {
  const endedMs = row.ended_at?.getTime() ?? null;
  const startedMs = row.started_at?.getTime() ?? null;
  const { tokens_in: tokensIn, tokens_out: tokensOut, decode_time_ms: decodeTimeMs } = row;
  return {
    taskId: row.task_id,
    turn: row.turn,
    used: endedMs === null ? null : usedBy(row.turn, { tokensIn, tokensOut, decodeTimeMs, startedMs, endedMs }),
    createdMs: row.created_at.getTime(),
    endedMs,
    poolId: row.pool_id,
    replicaId: row.replica_id,
  };
}
