import type { Redis } from 'ioredis';
import { priority } from '../../contract/common.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { Log } from '../../platform/observability/logger.js';
import { keyPrefix } from '../../platform/redis/redis-connections.js';
import type { Deadlines, Line, PoolQueues } from '../admission/index.js';
import { errorTemplate, type EventLog, type Standing } from '../events/index.js';
import type { Leases, PoolRegistry } from '../pools/index.js';
import { BrokenOff } from './broken-off.js';
import { Strides } from './strides.js';
import {
  expectedTokens,
  lineBounds,
  openTask,
  type DropTask,
  type EndTask,
  type FollowMove,
  type ListedTask,
  type TasksRepository,
} from '../tasks/index.js';

export interface ReconcilerCollaborators {
  readonly redis: Redis;
  readonly tasks: TasksRepository;
  readonly log: EventLog;
  readonly endTask: EndTask;
  readonly dropTask: DropTask;
  readonly followMove: FollowMove;
  readonly line: Line;
  readonly queues: PoolQueues;
  readonly deadlines: Deadlines;
  readonly pools: PoolRegistry;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly logger: Log;
}

const noStanding: Standing = { fence: null, poolId: null, attempt: 0 };
const lockKey = `${keyPrefix}:reconciler`;
const pageSize = 500;
/** Younger tasks are on their way through the normal path. */
const minAgeMs = 3000;
/** A place in line without a row after this long belongs to a submit that died. */
const orphanAgeMs = 15_000;
/** Who drops a task ends it at once. */
const droppedAgeMs = 1000;

/**
 * Holds Redis against Postgres, which is the source of truth: what was accepted and is not on its way is put on its way again, what ended
 * in the log ends in the row, what began and whose log is lost ends with WORKER_RESET. Runs in one process at a time; each step may be
 * done twice.
 */
export class Reconciler {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private readonly stopping = new AbortController();
  private readonly brokenOff: BrokenOff;

  constructor(
    private readonly with_: ReconcilerCollaborators,
    private readonly options: { readonly processId: string; readonly intervalMs: number },
  ) {
    this.brokenOff = new BrokenOff(with_);
  }

  start(): void {
    const again = (): void => {
      if (this.stopping.signal.aborted) return;
      this.timer = setTimeout(() => void this.run().finally(again), this.options.intervalMs);
      this.timer.unref();
    };
    void this.run().finally(again);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  /** One pass, unless another process is at it. Never rejects. */
  run(): Promise<void> {
    this.running ??= this.pass()
      .catch((error: unknown) => {
        this.with_.logger.debug({ err: error }, 'reconciling waits: a store is away');
      })
      .finally(() => {
        this.running = null;
      });
    return this.running;
  }

  private async pass(): Promise<void> {
    const { redis, pools } = this.with_;
    const { processId, intervalMs } = this.options;
    const holdMs = Math.max(10_000, intervalMs * 2);
    const isMine = await redis.set(lockKey, processId, 'PX', holdMs, 'NX');
    if (isMine === null) return;
    const strides = new Strides(() => redis.set(lockKey, processId, 'PX', holdMs), this.stopping.signal);
    try {
      for (const poolId of pools.ids) await this.dropped(poolId);
      await this.openTasks(strides);
      for (const poolId of pools.ids) await this.orphans(poolId, strides);
    } finally {
      await redis.del(lockKey);
    }
  }

  private async openTasks(strides: Strides): Promise<void> {
    const { tasks, clock } = this.with_;
    const before = clock.now() - minAgeMs;
    let last: ListedTask | null = null;
    do {
      let repaired = 0;
      const page: ListedTask[] = await tasks.listOpen(pageSize, last, before);
      for (const [poolId, group] of byPool(page)) repaired += await this.group(poolId, group);
      last = page.length === pageSize ? (page.at(-1) ?? null) : null;
      if (last !== null) await strides.next(repaired > 0);
    } while (last !== null && !this.stopping.signal.aborted);
    this.brokenOff.forgetOthers();
  }

  /** @returns how many were not as they should be */
  private async group(poolId: string, group: readonly ListedTask[]): Promise<number> {
    const queue = this.with_.queues.of(poolId);
    if (queue === null) {
      for (const task of group) await this.poolIsGone(task);
      return group.length;
    }
    let repaired = 0;
    const unoffered = new Set(await queue.unoffered(group.map(({ taskId }) => taskId)));
    const standings = await this.with_.log.standings(group.map(({ taskId }) => taskId));
    const held = await this.held(poolId, group, standings);
    for (const [place, task] of group.entries()) {
      const { taskId } = task;
      const standing = standings[place] ?? noStanding;
      const isHeld = held.has(taskId);
      if (await this.repair(task, standing, unoffered.has(taskId) && !isHeld)) repaired += 1;
      const { fence } = standing;
      if (fence?.startsWith('r') === true && !isHeld) await this.brokenOff.look(task, fence);
    }
    return repaired;
  }

  /**
   * @param isForgotten no worker runs it, and none is called for it
   * @returns whether it was not as it should be
   */
  private async repair(task: ListedTask, { fence, poolId, attempt }: Standing, isForgotten: boolean): Promise<boolean> {
    // Redis came back empty, or as it was before the attempt that the row knows of.
    if (task.state === 'running' && fence !== 'x' && (fence === null || attempt < task.attempts)) {
      await this.logIsLost(task);
      return true;
    }
    // It was put back in line, and whoever did it died before the row said so.
    const rowIsBehind = fence === 'q' && task.state === 'running';
    if (rowIsBehind) await this.with_.tasks.markWaiting({ taskId: task.taskId, attempt: task.attempts });
    if (poolId !== null && poolId !== task.poolId) await this.follow(task, poolId);
    else if (fence === 'x') await this.settle(task);
    else if (fence === null || isForgotten) await this.putBack(task);
    else return rowIsBehind;
    return true;
  }

  /** It was placed again, and whoever did it died before the row said so. What else is to be done is done in the next pass. */
  private async follow(task: ListedTask, toPoolId: string): Promise<void> {
    const engine = this.with_.pools.find(toPoolId)?.config.engine.id ?? task.engine;
    await this.with_.followMove.run([{ task, toPoolId, engine, decision: null }]);
  }

  /** Tasks that a live worker runs, whether the queue knows of them or not. */
  private held(poolId: string, group: readonly ListedTask[], standings: readonly Standing[]): Promise<Set<string>> {
    const attempts = group.flatMap(({ taskId }, place) => {
      const attempt = /^r(\d+)$/.exec(standings[place]?.fence ?? '')?.[1];
      return attempt === undefined ? [] : [{ taskId, attempt: Number(attempt) }];
    });
    const replicaIds = this.with_.pools.find(poolId)?.replicas.map(({ known }) => known.id) ?? [];
    return this.with_.leases.holders(poolId, replicaIds, attempts);
  }

  /** Closed in the log, not yet in the row. */
  private async settle(task: ListedTask): Promise<void> {
    await this.with_.endTask.settle(task.taskId);
    await this.forget(task);
  }

  /** Accepted, and nobody would ever run it: Redis lost it, or a submit died half way. */
  private async putBack({ taskId }: ListedTask): Promise<void> {
    const { log, queues, line, pools, deadlines, clock, logger } = this.with_;
    // A row that has ended meanwhile must not come back.
    const task = await this.with_.tasks.findOpen(taskId);
    if (task === null) return;
    await log.keep([taskId]);
    const fence = await log.fence(taskId);
    // Listed before it began, and looked at here after Redis lost its log.
    if (fence === null && task.state === 'running') return this.logIsLost(task);
    const queue = queues.of(task.poolId);
    const pool = pools.find(task.poolId);
    if (queue === null || pool === null) return;
    await queue.withdraw(taskId);
    if (fence === null || fence === 'q') {
      const entry = {
        taskId: task.taskId,
        poolId: task.poolId,
        priority: task.priority,
        expectedTokens: expectedTokens(task.request),
      };
      const unbounded = { capacity: null, classCapacity: null, makesRoom: false };
      const bounds = { ...lineBounds(pool, task.priority, pools), ...unbounded };
      // It lost its place and is about to end: see `dropped`.
      if ((await line.enter(entry, bounds)).kind === 'dropped') return;
    }
    await openTask(task, { log, queue, deadlines }, { againMs: clock.now() });
    logger.info(
      {
        job_id: task.taskId,
        pool_id: task.poolId,
        correlation_id: task.correlationId,
        human: 'A task that had lost its place was put back in line.',
      },
      'task put back',
    );
  }

  /** Begun, and its log is gone with Redis: nobody knows what its readers saw. */
  private async logIsLost({ taskId }: Pick<ListedTask, 'taskId'>): Promise<void> {
    const { endTask, tasks, logger } = this.with_;
    const task = await tasks.findOpen(taskId);
    if (task?.state !== 'running') return;
    const message = 'The task had begun when its event log was lost. Submit it again.';
    const template = errorTemplate({
      code: 'WORKER_RESET',
      message,
      retriable: true,
      engine: task.engine,
      pool_id: task.poolId,
    });
    // Somebody else has put it right meanwhile.
    if ((await endTask.closeLost(task, template)).kind !== 'closed') return;
    await this.settle(task);
    logger.warn(
      { job_id: task.taskId, pool_id: task.poolId, human: 'A task whose event log was lost was ended.' },
      'task reset',
    );
  }

  private async poolIsGone(task: ListedTask): Promise<void> {
    const message = 'The pool the task waited for is not configured any more. Submit it again.';
    const template = errorTemplate({
      code: 'POOL_UNAVAILABLE',
      message,
      retriable: true,
      engine: task.engine,
      pool_id: task.poolId,
    });
    const { endTask } = this.with_;
    const outcome = await endTask.closeLost(task, template);
    if (outcome.kind === 'kept') await endTask.close(task.taskId, template);
    await endTask.settle(task.taskId);
  }

  /** Tasks that lost their places to others, where whoever should have ended them died, or their own submit did. */
  private async dropped(poolId: string): Promise<void> {
    const { line, dropTask, clock } = this.with_;
    const now = clock.now();
    for (const { taskId, atMs } of await line.dropped(poolId, now - droppedAgeMs, pageSize)) {
      const hasEnded = await dropTask.run(poolId, taskId);
      if (!hasEnded && atMs < now - orphanAgeMs) await line.forgetDropped(poolId, taskId);
    }
  }

  /** Places in line of submits that died before they were accepted, and of tasks that have ended. */
  private async orphans(poolId: string, strides: Strides): Promise<void> {
    const { line, tasks, clock } = this.with_;
    const before = clock.now() - orphanAgeMs;
    for (const className of priority.options) {
      for await (const old of line.enteredBefore(poolId, className, before, pageSize)) {
        const notOpen = await tasks.notOpenOf(old);
        if (notOpen.length > 0) await line.leave(poolId, ...notOpen);
        if (this.stopping.signal.aborted) return;
        if (old.length === pageSize) await strides.next(notOpen.length > 0);
      }
    }
  }

  private async forget(task: ListedTask): Promise<void> {
    const { line, deadlines } = this.with_;
    await Promise.all([line.leave(task.poolId, task.taskId), deadlines.forget(task.taskId)]);
  }
}

function byPool(tasks: readonly ListedTask[]): Map<string, ListedTask[]> {
  const groups = new Map<string, ListedTask[]>();
  for (const task of tasks) {
    const group = groups.get(task.poolId);
    if (group === undefined) groups.set(task.poolId, [task]);
    else group.push(task);
  }
  return groups;
}
