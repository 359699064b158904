import type { Clock } from '../../platform/clock/clock.js';
import { metricsTemplate, type EventLog, type WaitingFrame } from '../events/index.js';
import type { LivePool } from '../pools/index.js';
import type { FollowedTask, LineLook } from './look-at-line.js';
import { narrationOf } from './narration.js';
import { standingOf } from './standing.js';
import { isDue, isNews, readTold, writeTold, type News } from './told.js';

/** Bounds one turn of the event loop and one script call, so that others are served in between. */
const tasksPerCall = 64;

/** Tells the readers of waiting tasks where their tasks stand: place in line, and when they will start as admission would predict it now. */
export class TellWaiting {
  constructor(
    private readonly log: Pick<EventLog, 'tellWaiting'>,
    private readonly clock: Clock,
    /** The shortest time between two frames of a task. */
    private readonly pauseMs: number,
  ) {}

  /**
   * Writes a frame for each task of which there is news. Rejects when Redis is away.
   * @param isStuck the pool has not been ready for long, and its tasks wait all the same
   */
  async run(pool: LivePool, look: LineLook, isStuck: boolean): Promise<void> {
    for (let at = 0; at < look.tasks.length; at += tasksPerCall) {
      const some = look.tasks.slice(at, at + tasksPerCall);
      await this.log.tellWaiting(some.flatMap((task) => this.frameOf(pool, look, task, isStuck) ?? []));
    }
  }

  private frameOf(pool: LivePool, look: LineLook, task: FollowedTask, isStuck: boolean): WaitingFrame | null {
    const now = this.clock.now();
    const before = readTold(task.told);
    if (!isDue(before, now, this.pauseMs)) return null;
    const data = standingOf(pool, look, task, now);
    const news: News = { position: data.queue_position, startMs: data.predicted_start_ms ?? null, isStuck };
    if (!isNews(before, news, now)) return null;
    const wasStuck = before?.isStuck ?? false;
    const told = { ...data, ...((isStuck || wasStuck) && { pool_ready: !isStuck }) };
    const leftMs = task.deadlineMs === null ? null : Math.max(0, task.deadlineMs - now);
    return {
      taskId: task.taskId,
      toldBefore: task.told,
      told: writeTold({ ...news, count: (before?.count ?? 0) + 1, atMs: now }),
      frame: metricsTemplate({ ...told, human: narrationOf(told, leftMs) }),
    };
  }
}
