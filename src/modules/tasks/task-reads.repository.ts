import { priority } from '../../contract/common.js';
import { taskState, type Task, type TaskListQuery } from '../../contract/task-response.js';
import { Prisma, PrismaClient } from '../../platform/database/generated/client.js';
import type { Place } from '../../platform/http/keyset-page.js';
import { begunBy } from '../events/index.js';

/** A task as stored, without what only the moment knows. */
export type StoredTask = Omit<Task, 'queue_position'>;

type Filter = Omit<TaskListQuery, 'cursor'>;

/** The task records, read. Rejects when Postgres is away. */
export class TaskReadsRepository {
  constructor(private readonly prisma: PrismaClient) {}

  async find(taskId: string): Promise<StoredTask | null> {
    const row = await this.prisma.task.findUnique({ where: { taskId }, omit: { request: true } });
    return row === null ? null : storedTask(row);
  }

  /** At most `limit` tasks after the cursor, newest first. The cost grows with `limit`, not with how many tasks there are. */
  async list(filter: Filter, after: Place | null): Promise<StoredTask[]> {
    const rows = await this.prisma.$queryRaw<TaskRow[]>(pageSql(filter, after));
    return rows.map(storedTask);
  }
}

/**
 * A page is merged from the heads of a few walks over one index: in it, behind what it filters by, the tasks of one state and class lie side
 * by side in order of time. A walk is written as a range of whole keys, in the order of the key, which no other index can give: so Postgres
 * can't choose to sort, or to walk another index and throw away what the filter drops. See docs/decisions/0022.
 */
function pageSql(filter: Filter, after: Place | null): Prisma.Sql {
  const { source, leading, rest } = walkOf(filter);
  const key = [...leading, by('state', Prisma.sql`s.state`), by('priority', Prisma.sql`p.priority`)];
  const names = key.map(({ column }) => column);
  const values = Prisma.join(key.map(({ value }) => value));
  const states = filter.state === undefined ? taskState.options : [filter.state];
  const classes = filter.priority === undefined ? priority.options : [filter.priority];
  return Prisma.sql`
    SELECT ${columns} FROM (
      SELECT head.task_id
      FROM ${source} unnest(${states}::task_state[]) AS s(state), unnest(${classes}::task_priority[]) AS p(priority), LATERAL (
        SELECT task_id, created_at FROM tasks
        WHERE (${Prisma.join(names)}, created_at, task_id) < (${values}, ${placeOf(after)})
          AND (${Prisma.join(names)}, created_at) >= (${values}, ${instant(filter.since ?? 0)}) ${rest}
        ORDER BY ${Prisma.join(names, ' DESC, ')} DESC, created_at DESC, task_id DESC LIMIT ${filter.limit}
      ) AS head
      ORDER BY head.created_at DESC, head.task_id DESC LIMIT ${filter.limit}
    ) AS page JOIN tasks AS t USING (task_id) ORDER BY t.created_at DESC, t.task_id DESC`;
}

interface Walk {
  /** What each walk is made for beside state and class: SQL that ends with a comma, or nothing. */
  readonly source: Prisma.Sql;
  /** What comes first in the index's key. */
  readonly leading: readonly Column[];
  /** What the index does not hold: SQL that begins with AND, or nothing. */
  readonly rest: Prisma.Sql;
}

interface Column {
  readonly column: Prisma.Sql;
  readonly value: Prisma.Sql;
}

/** One of the four indexes of prisma/tasks.prisma: the one that leaves the least to be looked through. */
function walkOf({ session_id, model_ref, pool_id }: Filter): Walk {
  const none = { source: Prisma.empty, rest: Prisma.empty };
  if (session_id !== undefined) {
    const ofModel = model_ref === undefined ? Prisma.empty : Prisma.sql`AND model_ref = ${model_ref}`;
    const ofPool = pool_id === undefined ? Prisma.empty : Prisma.sql`AND pool_id = ${pool_id}`;
    const rest = Prisma.sql`AND session_id IS NOT NULL ${ofModel} ${ofPool}`;
    return { ...none, leading: [by('session_id', Prisma.sql`${session_id}::uuid`)], rest };
  }
  if (model_ref !== undefined) {
    const source = pool_id === undefined ? Prisma.sql`(${poolsOf(model_ref)}) AS o,` : Prisma.empty;
    const pool = pool_id === undefined ? Prisma.sql`o.pool_id` : Prisma.sql`${pool_id}`;
    return { ...none, source, leading: [by('model_ref', Prisma.sql`${model_ref}`), by('pool_id', pool)] };
  }
  return { ...none, leading: pool_id === undefined ? [] : [by('pool_id', Prisma.sql`${pool_id}`)] };
}

/** The pools that tasks of a model were sent to: each is one look into the index, right behind the one before (a "loose index scan"). */
function poolsOf(model: string): Prisma.Sql {
  const next = (after: Prisma.Sql): Prisma.Sql => Prisma.sql`
    (SELECT pool_id FROM tasks WHERE model_ref <= ${model} AND (model_ref, pool_id) > (${model}, ${after}) ORDER BY model_ref, pool_id LIMIT 1)`;
  return Prisma.sql`
    WITH RECURSIVE pools AS (
      ${next(Prisma.sql`''`)} UNION ALL SELECT ${next(Prisma.sql`pools.pool_id`)} FROM pools WHERE pools.pool_id IS NOT NULL
    ) SELECT pool_id FROM pools WHERE pool_id IS NOT NULL`;
}

function by(column: string, value: Prisma.Sql): Column {
  return { column: Prisma.raw(column), value };
}

/** Where the page begins; without a cursor before everything. */
function placeOf(after: Place | null): Prisma.Sql {
  if (after === null) return Prisma.sql`'infinity'::timestamptz, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid`;
  return Prisma.sql`${instant(after.createdMs)}, ${after.id}::uuid`;
}

function instant(unixMs: number): Prisma.Sql {
  return Prisma.sql`to_timestamp(${unixMs}::double precision / 1000)`;
}

/** A row's fields under the names that Prisma gives them; the request stays where it is. */
const columns = Prisma.raw(
  Object.values(Prisma.TaskScalarFieldEnum)
    .filter((field) => field !== 'request')
    .map((field) => `t.${field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)} AS "${field}"`)
    .join(', '),
);

type TaskRow = Prisma.TaskGetPayload<{ omit: { request: true } }>;

function storedTask(row: TaskRow): StoredTask {
  const admission = row.admission as unknown as { predicted_start_ms: number; streams: Task['streams'] };
  return {
    task_id: row.taskId,
    session_id: row.sessionId,
    state: row.state,
    workload: row.workload,
    model_ref: row.modelRef,
    engine: row.engine as Task['engine'],
    priority: row.priority,
    pool_id: row.poolId,
    replica_id: row.replicaId,
    attempts: begunBy(row.attempts),
    predicted_start_ms: admission.predicted_start_ms,
    created_ms: row.createdAt.getTime(),
    started_ms: row.startedAt?.getTime() ?? null,
    first_token_ms: row.firstTokenMs,
    ended_ms: row.endedAt?.getTime() ?? null,
    tokens_in: row.tokensIn,
    tokens_out: row.tokensOut,
    decode_time_ms: row.decodeTimeMs,
    finish_reason: row.finishReason as Task['finish_reason'],
    error: row.error as unknown as Task['error'],
    placement: row.placement as unknown as Task['placement'],
    streams: admission.streams,
    artifact_id: row.artifactId,
  };
}
