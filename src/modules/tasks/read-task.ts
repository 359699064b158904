import { uuid } from '../../contract/common.js';
import type { Task, TaskListQuery, TaskPage } from '../../contract/task-response.js';
import { AppError } from '../../platform/errors/app-error.js';
import { pageOf, readCursor } from '../../platform/http/keyset-page.js';
import type { Line } from '../admission/index.js';
import type { EventLog } from '../events/index.js';
import type { PoolRegistry } from '../pools/index.js';
import type { EndTask } from './end-task.js';
import { lineBounds } from './line-bounds.js';
import { isFinal } from './task-state.js';
import type { StoredTask, TaskReadsRepository } from './task-reads.repository.js';

/** Shows tasks: the record, and for a waiting one its place in line now. */
export class ReadTask {
  constructor(
    private readonly reads: TaskReadsRepository,
    private readonly log: EventLog,
    private readonly endTask: EndTask,
    private readonly line: Line,
    private readonly pools: PoolRegistry,
  ) {}

  /** Rejects with NOT_FOUND. */
  async one(taskId: string): Promise<Task> {
    const stored = await this.reads.find(taskId);
    if (stored === null) throw new AppError('NOT_FOUND', 'There is no task of that id.');
    const current = (await this.hasJustEnded(stored)) ? ((await this.reads.find(taskId)) ?? stored) : stored;
    return this.withPosition(current);
  }

  /** Newest first. Rejects with INVALID_PARAMS for a cursor that is none of ours. */
  async page({ cursor, ...filter }: TaskListQuery): Promise<TaskPage> {
    const wanted = { ...filter, limit: filter.limit + 1 };
    const after = readCursor(cursor, isTaskId);
    let found = await this.reads.list(wanted, after);
    const ended = await Promise.all(found.map((stored) => this.hasJustEnded(stored)));
    if (ended.includes(true)) found = await this.reads.list(wanted, after);
    const page = pageOf(found, filter.limit, ({ created_ms, task_id }) => ({ createdMs: created_ms, id: task_id }));
    return { ...page, items: await Promise.all(page.items.map((stored) => this.withPosition(stored))) };
  }

  /** Rows follow their logs by a moment; who has read the end of the stream must not read `running` here. */
  private async hasJustEnded(stored: StoredTask): Promise<boolean> {
    if (isFinal(stored.state) || (await this.log.fence(stored.task_id)) !== 'x') return false;
    return this.endTask.settle(stored.task_id);
  }

  private async withPosition(stored: StoredTask): Promise<Task> {
    if (stored.state !== 'queued') return { ...stored, queue_position: null };
    const pool = this.pools.find(stored.pool_id);
    // Of a pool that is not configured any more nothing starts.
    if (pool === null) return { ...stored, queue_position: 0 };
    const task = { taskId: stored.task_id, poolId: stored.pool_id, priority: stored.priority };
    const position = await this.line.positionOf(task, lineBounds(pool, stored.priority, this.pools));
    return { ...stored, queue_position: position };
  }
}

function isTaskId(text: string): boolean {
  return uuid.safeParse(text).success;
}
