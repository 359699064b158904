import type { Task, TaskListQuery } from '../../contract/task-response.js';
import type { Place } from '../../platform/http/keyset-page.js';
import { PrismaClient, type Prisma } from '../../platform/database/generated/client.js';

/** A task as stored, without what only the moment knows. */
export type StoredTask = Omit<Task, 'queue_position'>;

/** The task records, read. Rejects when Postgres is away. */
export class TaskReadsRepository {
  constructor(private readonly prisma: PrismaClient) {}

  async find(taskId: string): Promise<StoredTask | null> {
    const row = await this.prisma.task.findUnique({ where: { taskId }, omit: { request: true } });
    return row === null ? null : storedTask(row);
  }

  /** At most `limit` tasks after the cursor, newest first. */
  async list(filter: Omit<TaskListQuery, 'cursor'>, after: Place | null): Promise<StoredTask[]> {
    const rows = await this.prisma.task.findMany({
      where: { AND: [whereOf(filter), afterCursor(after)] },
      omit: { request: true },
      orderBy: [{ createdAt: 'desc' }, { taskId: 'desc' }],
      take: filter.limit,
    });
    return rows.map(storedTask);
  }
}

function whereOf(filter: Omit<TaskListQuery, 'cursor'>): Prisma.TaskWhereInput {
  return {
    ...(filter.state !== undefined && { state: filter.state }),
    ...(filter.session_id !== undefined && { sessionId: filter.session_id }),
    ...(filter.pool_id !== undefined && { poolId: filter.pool_id }),
    ...(filter.model_ref !== undefined && { modelRef: filter.model_ref }),
    ...(filter.priority !== undefined && { priority: filter.priority }),
    ...(filter.since !== undefined && { createdAt: { gte: new Date(filter.since) } }),
  };
}

/** Keyset paging: the first condition lets Postgres start inside the index, the second drops what the page before showed. */
function afterCursor(after: Place | null): Prisma.TaskWhereInput {
  if (after === null) return {};
  const createdAt = new Date(after.createdMs);
  return { createdAt: { lte: createdAt }, NOT: { createdAt, taskId: { gte: after.id } } };
}

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
    attempts: row.attempts,
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
