import { burstsEnd } from '../../platform/gathering/bursts-end.js';
import { attemptsAfterLoss, encodeFrame, type EventLog, LogChunk } from '../events/index.js';
import type { Deadlines, PoolQueue } from '../admission/index.js';
import { runRequestOf, runRequestText } from './run-request.js';
import { replicaMarks, type NewTask, type OpenTask } from './task-record.js';

/** More ids than a waiting task's log gives: a few frames a second at the most (`queue_frame_ms`, `place_again_after_ms`), and some at once. */
const idsPerSecond = 32;
const idsAtOnce = 64;

/**
 * What a log's ids must lie above that is opened anew because Redis has lost it: while the task waited its readers may have been told
 * things, and go on from there.
 */
function lostIds(ageMs: number): number {
  return idsAtOnce + Math.ceil((Math.max(0, ageMs) / 1000) * idsPerSecond);
}

/** Event 1 of a task. The same task always gives the same bytes, unless it was placed again meanwhile. */
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

/** An accepted task as far as its log and its ticket depend on it. */
export type OpenableTask = Pick<
  OpenTask,
  | 'taskId'
  | 'poolId'
  | 'correlationId'
  | 'request'
  | 'admission'
  | 'engine'
  | 'createdMs'
  | 'deadlineMs'
  | 'told'
  | 'turn'
> & {
  /** Its newest attempt; absent: it never began. */
  readonly attempts?: number | undefined;
};

/** Opens the log of an accepted task; one that is there stays. @param about who follows from the start, and when it is opened if it may have been there before */
export async function openLog(
  log: Pick<EventLog, 'open'>,
  task: OpenableTask,
  about: { readonly hubId?: string | null; readonly againMs?: number },
): Promise<void> {
  const { hubId = null, againMs = null } = about;
  const { taskId, attempts: known = 0 } = task;
  const ageMs = againMs === null ? null : againMs - task.createdMs;
  // An attempt of the lost log may still run: neither its writes nor its lease are taken for those of a later one.
  const attempts = ageMs === null ? known : attemptsAfterLoss(known, ageMs);
  const floorId = ageMs === null ? 0 : lostIds(ageMs);
  const [request, marks] = [runRequestText(runRequestOf(task)), replicaMarks(task)];
  await log.open({ taskId, attempts, request, startedFrame: startedFrame(task), hubId, marks, floorId });
}

/** Opens the log of an accepted task and offers the task to the workers, in one trip. Doing it twice is the same as once. */
export async function openTask(
  task: OpenableTask,
  { log, queue, deadlines }: { readonly log: EventLog; readonly queue: PoolQueue; readonly deadlines: Deadlines },
  about: Parameters<typeof openLog>[2],
): Promise<void> {
  const opened = openLog(log, task, about);
  // Behind the log, which is sent by then: whoever comes with the ticket must find it.
  const offered = burstsEnd().then(() => queue.offer(task.taskId, task.request.priority));
  const watched = task.deadlineMs === null ? null : deadlines.watch(task.taskId, task.deadlineMs);
  await Promise.all([opened, offered, watched]);
}
