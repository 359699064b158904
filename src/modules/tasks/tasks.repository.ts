import type { Pool } from 'pg';
import type { EngineId } from '../../contract/common.js';
import type { PlacementRecord } from '../../contract/task-response.js';
import { WriteBatcher } from '../../platform/database/write-batcher.js';
import { listedTask, openPageSql, openSql, openTask, type ListedRow, type OpenRow } from './open-rows.js';
import { standingOf, standingsSql, type StandingRow, type TaskStanding } from './standing-rows.js';
import type { ListedTask, NewTask, OpenTask, SettledTask } from './task-record.js';

/** Marks a task as begun by an attempt. */
export interface TaskStart {
  readonly taskId: string;
  readonly attempt: number;
  readonly replicaId: string;
  readonly startedMs: number;
}

/** An attempt after which a task waits again. */
export interface TaskWait {
  readonly taskId: string;
  readonly attempt: number;
}

/** A waiting task that goes from one pool to another. */
export interface TaskMove {
  readonly taskId: string;
  readonly fromPoolId: string;
  readonly toPoolId: string;
  readonly engine: EngineId;
  /** Null: only the pool is known. */
  readonly placement: PlacementRecord | null;
}

/** What is stored of an earlier acceptance. */
export interface AcceptedBefore {
  readonly bodyHash: string;
  readonly admission: NewTask['admission'];
}

const insertSql = `
  INSERT INTO tasks (task_id, body_hash, correlation_id, session_id, state, workload, model_ref, engine, priority, pool_id, request, admission,
    placement, turn, created_at, deadline_at, attempts, replica_id, started_at)
  SELECT r.task_id, r.body_hash, r.correlation_id, r.session_id, r.state::task_state, r.workload, r.model_ref, r.engine, r.priority::task_priority, r.pool_id,
    r.request, r.admission, r.placement, r.turn, to_timestamp(r.created_ms / 1000.0), to_timestamp(r.deadline_ms / 1000.0),
    r.attempts, r.replica_id, to_timestamp(r.started_ms / 1000.0)
  FROM json_to_recordset($1::json) AS r(task_id uuid, body_hash text, correlation_id text, session_id uuid, workload text, model_ref text,
    engine text, priority text, pool_id text, request jsonb, admission jsonb, placement jsonb, turn jsonb, created_ms double precision,
    deadline_ms double precision, state text, attempts int, replica_id text, started_ms double precision)
  ON CONFLICT (task_id) DO NOTHING
  RETURNING task_id`;

const startSql = `
  UPDATE tasks t SET state = 'running', attempts = r.attempt, replica_id = r.replica_id,
    started_at = COALESCE(t.started_at, to_timestamp(r.started_ms / 1000.0))
  FROM json_to_recordset($1::json) AS r(task_id uuid, attempt int, replica_id text, started_ms double precision)
  WHERE t.task_id = r.task_id AND t.state IN ('queued', 'running') AND t.attempts < r.attempt
  RETURNING t.task_id`;

/** Not where a later attempt has begun since. */
const waitSql = `
  UPDATE tasks t SET state = 'queued', replica_id = NULL, started_at = NULL
  FROM json_to_recordset($1::json) AS r(task_id uuid, attempt int)
  WHERE t.task_id = r.task_id AND t.state = 'running' AND t.attempts = r.attempt
  RETURNING t.task_id`;

/** Whatever came of it meanwhile: it went to that pool. */
const moveSql = `
  UPDATE tasks t SET pool_id = r.to_pool_id, engine = r.engine,
    placement = COALESCE(r.placement, t.placement || jsonb_build_object('pool_id', r.to_pool_id))
      || jsonb_build_object('earlier_pools', COALESCE(t.placement->'earlier_pools', '[]') || to_jsonb(t.pool_id))
  FROM json_to_recordset($1::json) AS r(task_id uuid, from_pool_id text, to_pool_id text, engine text, placement jsonb)
  WHERE t.task_id = r.task_id AND t.pool_id = r.from_pool_id
  RETURNING t.task_id`;

const settleSql = `
  UPDATE tasks t SET state = r.state::task_state, ended_at = to_timestamp(r.ended_ms / 1000.0), tokens_in = r.tokens_in,
    tokens_out = r.tokens_out, first_token_ms = r.first_token_ms, decode_time_ms = r.decode_time_ms, finish_reason = r.finish_reason,
    error = r.error, artifact_id = r.artifact_id, request = NULL
  FROM json_to_recordset($1::json) AS r(task_id uuid, state text, ended_ms double precision, tokens_in int, tokens_out int,
    first_token_ms int, decode_time_ms int, finish_reason text, error jsonb, artifact_id text)
  WHERE t.task_id = r.task_id AND t.state IN ('queued', 'running')
  RETURNING t.task_id`;

/** The task records, written: statements of concurrent tasks share round trips. Rejects when Postgres is away. */
export class TasksRepository {
  private readonly inserts: WriteBatcher<NewTask, boolean>;
  private readonly starts: WriteBatcher<TaskStart, boolean>;
  private readonly waits: WriteBatcher<TaskWait, boolean>;
  private readonly moves: WriteBatcher<TaskMove, boolean>;
  private readonly endings: WriteBatcher<SettledTask, boolean>;
  private readonly openReads: WriteBatcher<string, OpenTask | null>;
  private readonly stateReads: WriteBatcher<string, TaskStanding | null>;

  constructor(private readonly pool: Pool) {
    this.inserts = this.batcher('task-insert', insertSql, insertRow);
    this.starts = this.batcher('task-start', startSql, startRow);
    this.waits = this.batcher('task-wait', waitSql, waitRow);
    this.moves = this.batcher('task-move', moveSql, moveRow);
    this.endings = this.batcher('task-settle', settleSql, endingRow);
    this.openReads = new WriteBatcher((taskIds) => this.readOpen(taskIds), { maxItems: 64, parallel: 2 });
    this.stateReads = new WriteBatcher((taskIds) => this.readStates(taskIds), { maxItems: 256, parallel: 2 });
  }

  /** Accepts a task durably. False: a task of that id was accepted before. */
  insert(task: NewTask): Promise<boolean> {
    return this.inserts.add(task);
  }

  /** Marks a task as running. False: it has ended, or a later attempt runs. */
  markRunning(start: TaskStart): Promise<boolean> {
    return this.starts.add(start);
  }

  /** Notes that a task waits again whose attempt has answered nothing. False: its row says something else by now. */
  markWaiting(wait: TaskWait): Promise<boolean> {
    return this.waits.add(wait);
  }

  /** Notes that a waiting task was placed again. False: its row says so already. */
  movedTo(move: TaskMove): Promise<boolean> {
    return this.moves.add(move);
  }

  /** Ends a task's record and removes its prompt. False: it had ended before, nothing changed. */
  settle(ending: SettledTask): Promise<boolean> {
    return this.endings.add(ending);
  }

  /** Takes back a row that was written for a start which did not happen; nobody was told of it. */
  async withdraw(taskId: string): Promise<void> {
    await this.pool.query({ name: 'task-withdraw', text: 'DELETE FROM tasks WHERE task_id = $1', values: [taskId] });
  }

  /** An earlier acceptance under this id, null when there is none. */
  async acceptedBefore(taskId: string): Promise<AcceptedBefore | null> {
    const text = 'SELECT body_hash, admission FROM tasks WHERE task_id = $1';
    type Row = { body_hash: string; admission: NewTask['admission'] };
    const found = await this.pool.query<Row>({ name: 'task-before', text, values: [taskId] });
    const row = found.rows[0];
    return row === undefined ? null : { bodyHash: row.body_hash, admission: row.admission };
  }

  /** State, place and reader's wish of a task, null when unknown. Concurrent calls share a statement. */
  stateOf(taskId: string): Promise<TaskStanding | null> {
    return this.stateReads.add(taskId);
  }

  /** One open task; null when it is unknown or has ended. Concurrent calls share a statement. */
  findOpen(taskId: string): Promise<OpenTask | null> {
    return this.openReads.add(taskId);
  }

  /** Open tasks in order of creation, a page at a time. @param after the last one of the page before */
  async listOpen(limit: number, after: ListedTask | null, createdBeforeMs: number): Promise<ListedTask[]> {
    const found = await this.pool.query<ListedRow>({
      name: 'task-open-page',
      text: openPageSql,
      values: [limit, after?.createdMs ?? 0, after?.taskId ?? '00000000-0000-0000-0000-000000000000', createdBeforeMs],
    });
    return found.rows.map(listedTask);
  }

  /** Of these ids, those under which no open task is stored: never accepted, or ended. */
  async notOpenOf(taskIds: readonly string[]): Promise<string[]> {
    const text = `SELECT task_id FROM tasks WHERE task_id = ANY($1::uuid[]) AND state IN ('queued', 'running')`;
    const found = await this.pool.query<{ task_id: string }>({ text, values: [taskIds] });
    const open = new Set(found.rows.map((row) => row.task_id));
    return taskIds.filter((id) => !open.has(id));
  }

  /**
   * Of these tasks, those that wait for the pool and may be placed in another when it is not ready. One that does not fall back may go to
   * another pool that it prefers: placement knows which.
   */
  async movableOf(poolId: string, taskIds: readonly string[]): Promise<OpenTask[]> {
    const text = `${openSql} AND state = 'queued' AND pool_id = $1 AND task_id = ANY($2::uuid[])
      AND request->'placement'->>'mode' IS DISTINCT FROM 'pin'
      AND (request->'placement'->>'allow_fallback' IS DISTINCT FROM 'false' OR request->'placement'->>'mode' = 'prefer')`;
    const found = await this.pool.query<OpenRow>({ name: 'task-movable', text, values: [poolId, taskIds] });
    return found.rows.map(openTask);
  }

  /** Whether Postgres answers. */
  async ping(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  private async readOpen(taskIds: readonly string[]): Promise<(OpenTask | null)[]> {
    const text = `${openSql} AND task_id = ANY($1::uuid[])`;
    const found = await this.pool.query<OpenRow>({ name: 'task-open-some', text, values: [taskIds] });
    const open = new Map(found.rows.map((row) => [row.task_id, openTask(row)]));
    return taskIds.map((taskId) => open.get(taskId) ?? null);
  }

  private async readStates(taskIds: readonly string[]): Promise<(TaskStanding | null)[]> {
    const found = await this.pool.query<StandingRow>({ name: 'task-states', text: standingsSql, values: [taskIds] });
    const standings = new Map(found.rows.map((row) => [row.task_id, standingOf(row)]));
    return taskIds.map((taskId) => standings.get(taskId) ?? null);
  }

  private batcher<Item extends { readonly taskId: string }>(
    name: string,
    text: string,
    row: (item: Item) => object,
  ): WriteBatcher<Item, boolean> {
    const write = async (items: readonly Item[]): Promise<boolean[]> => {
      const found = await this.pool.query<{ task_id: string }>({
        name,
        text,
        values: [JSON.stringify(items.map(row))],
      });
      const changed = new Set(found.rows.map((written) => written.task_id));
      // The same id twice in one statement: the first one counts.
      return items.map(({ taskId }) => changed.delete(taskId));
    };
    return new WriteBatcher(write, { maxItems: 128, parallel: 2 });
  }
}

/** What is null is left out: Postgres reads each of thousands of rows a second, and takes a missing field for null. */
function insertRow(task: NewTask): object {
  const { request, startedOn } = task;
  return {
    task_id: task.taskId,
    body_hash: task.bodyHash,
    correlation_id: task.correlationId,
    session_id: request.session_id,
    workload: request.workload,
    model_ref: request.model_ref,
    engine: task.engine,
    priority: request.priority,
    pool_id: task.poolId,
    request,
    admission: task.admission,
    placement: task.placement,
    turn: task.turn ?? undefined,
    created_ms: task.createdMs,
    deadline_ms: task.deadlineMs ?? undefined,
    state: startedOn === null ? 'queued' : 'running',
    attempts: startedOn === null ? 0 : 1,
    replica_id: startedOn ?? undefined,
    started_ms: startedOn === null ? undefined : task.createdMs,
  };
}

function startRow(start: TaskStart): object {
  return { task_id: start.taskId, attempt: start.attempt, replica_id: start.replicaId, started_ms: start.startedMs };
}

function waitRow({ taskId, attempt }: TaskWait): object {
  return { task_id: taskId, attempt };
}

function moveRow({ taskId, fromPoolId, toPoolId, engine, placement }: TaskMove): object {
  return { task_id: taskId, from_pool_id: fromPoolId, to_pool_id: toPoolId, engine, placement };
}

function endingRow(ending: SettledTask): object {
  return {
    task_id: ending.taskId,
    state: ending.state,
    ended_ms: ending.endedMs,
    tokens_in: ending.tokensIn,
    tokens_out: ending.tokensOut,
    first_token_ms: ending.firstTokenMs,
    decode_time_ms: ending.decodeTimeMs,
    finish_reason: ending.finishReason,
    error: ending.error,
    artifact_id: ending.artifactId,
  };
}
