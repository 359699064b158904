import { encodeFrame, type EventLog, LogChunk } from '../events/index.js';
import type { Deadlines, PoolQueue } from '../admission/index.js';
import { replicaMarks, runRequestOf, type NewTask, type OpenTask } from './task-record.js';

/** Event 1 of a task. The same task always gives the same bytes, also when its log must be opened again. */
export function startedFrame(task: Pick<OpenTask, 'taskId' | 'admission' | 'request' | 'engine' | 'poolId'>): string {
  const { queue_position, predicted_start_ms, predicted_start_p90_ms, on_time_probability } = task.admission;
  const data = {
    task_id: task.taskId,
    queue_position,
    predicted_start_ms,
    predicted_start_p90_ms,
    on_time_probability,
    pool_id: task.poolId,
    model_ref: task.request.model_ref,
    engine: task.engine,
  };
  return encodeFrame(1, 'started', JSON.stringify(data));
}

/** Event 1 as its readers get it. */
export function startedChunk(task: NewTask): LogChunk {
  const bytes = Buffer.from(startedFrame(task), 'utf8');
  return new LogChunk(task.taskId, { first: 1, last: 1, isFinal: false }, bytes);
}

/** Opens the log of an accepted task and offers the task to the workers, in one trip. Doing it twice is the same as once. */
export async function openTask(
  task: OpenTask,
  { log, queue, deadlines }: { readonly log: EventLog; readonly queue: PoolQueue; readonly deadlines: Deadlines },
  hubId: string | null,
): Promise<void> {
  const request = JSON.stringify(runRequestOf(task));
  const opened = log.open({
    taskId: task.taskId,
    attempts: task.attempts,
    request,
    startedFrame: startedFrame(task),
    hubId,
    marks: replicaMarks(task),
  });
  const offered = queue.offer(task.taskId, task.correlationId, task.priority);
  const watched = task.deadlineMs === null ? null : deadlines.watch(task.taskId, task.deadlineMs);
  await Promise.all([opened, offered, watched]);
}
