import type { ListedTask, OpenTask } from './task-record.js';

const openColumns =
  'task_id, state, pool_id, priority, attempts, correlation_id, request, admission, engine, created_at, deadline_at, turn, started_at, replica_id';
/** All that somebody who ends or puts back an open task needs; add conditions to it. */
export const openSql = `SELECT ${openColumns} FROM tasks WHERE state IN ('queued', 'running')`;

/** The prompts stay where they are: a long line is listed every few seconds. */
const listedColumns = 'task_id, state, pool_id, priority, engine, attempts, created_at';

/** Merged from the heads of one walk over an index per state and class, as lists are: never a sort of all that is open. */
export const openPageSql = `
  SELECT head.* FROM unnest('{queued,running}'::task_state[]) AS s(state), unnest(enum_range(NULL::task_priority)) AS p(priority), LATERAL (
    SELECT ${listedColumns} FROM tasks
    WHERE (state, priority, created_at, task_id) > (s.state, p.priority, to_timestamp($2::double precision / 1000), $3::uuid)
      AND (state, priority, created_at) < (s.state, p.priority, to_timestamp($4::double precision / 1000))
    ORDER BY state, priority, created_at, task_id LIMIT $1
  ) AS head ORDER BY created_at, task_id LIMIT $1`;

export type ListedRow = Pick<
  OpenRow,
  'task_id' | 'state' | 'pool_id' | 'priority' | 'engine' | 'attempts' | 'created_at'
>;

export interface OpenRow {
  task_id: string;
  state: 'queued' | 'running';
  pool_id: string;
  priority: OpenTask['priority'];
  attempts: number;
  correlation_id: string;
  request: OpenTask['request'];
  admission: OpenTask['admission'];
  engine: OpenTask['engine'];
  created_at: Date;
  deadline_at: Date | null;
  turn: OpenTask['turn'];
  started_at: Date | null;
  replica_id: string | null;
}

export function openTask(row: OpenRow): OpenTask {
  return {
    taskId: row.task_id,
    state: row.state,
    poolId: row.pool_id,
    priority: row.priority,
    attempts: row.attempts,
    correlationId: row.correlation_id,
    request: row.request,
    admission: row.admission,
    engine: row.engine,
    createdMs: row.created_at.getTime(),
    deadlineMs: row.deadline_at?.getTime() ?? null,
    // It is put back, or ended: when it starts says nothing about what it was told.
    told: null,
    turn: row.turn,
    startedMs: row.started_at?.getTime() ?? null,
    replicaId: row.replica_id,
  };
}

export function listedTask(row: ListedRow): ListedTask {
  return {
    taskId: row.task_id,
    state: row.state,
    poolId: row.pool_id,
    priority: row.priority,
    engine: row.engine,
    attempts: row.attempts,
    createdMs: row.created_at.getTime(),
  };
}
