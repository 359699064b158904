import { DelayedError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueNameOf, queuePrefix, type PoolJob, type PoolJobName } from '../admission/index.js';
import type { RunOutcome } from './run-context.js';
import type { Ticket } from './ticket.js';

const againAfterMs = 200;
const afterErrorMs = 500;
/** Ended jobs kept for Bull Board. */
const keptJobs = { age: 3600, count: 500 };

export interface PoolProcessorOptions {
  readonly poolId: string;
  readonly connection: Redis;
  /** A worker that does not renew its lock for this long has lost the job. */
  readonly lockMs: number;
  readonly onError: (error: Error) => void;
}

/** Takes the jobs of one pool from BullMQ, as many at once as the pool has slots, and hands each to `run`. */
export class PoolProcessor {
  private readonly worker: Worker<PoolJob>;

  constructor(
    { poolId, connection, lockMs, onError }: PoolProcessorOptions,
    private readonly run: (ticket: Ticket) => Promise<RunOutcome>,
  ) {
    this.worker = new Worker<PoolJob>(queueNameOf(poolId), (job, token) => this.process(job, token), {
      connection,
      prefix: queuePrefix,
      autorun: false,
      lockDuration: lockMs,
      stalledInterval: Math.max(500, Math.round(lockMs / 2)),
      // A lost worker must never cost a task its end: the attempts are counted in the run record, not here.
      maxStalledCount: 1_000_000,
      drainDelay: 5,
      concurrency: 1,
      skipVersionCheck: true,
      removeOnComplete: keptJobs,
      removeOnFail: keptJobs,
    });
    this.worker.on('error', onError);
  }

  /** Begins to take jobs; resolves never before `close`. */
  start(): void {
    this.worker.run().catch(() => undefined);
  }

  /** As many jobs at once as the pool has slots; none at all while it has none. */
  setSlots(slots: number): void {
    if (slots === 0) {
      if (!this.worker.isPaused()) this.worker.pause(true).catch(() => undefined);
      return;
    }
    if (this.worker.concurrency !== slots) this.worker.concurrency = slots;
    if (this.worker.isPaused()) this.worker.resume().catch(() => undefined);
  }

  /** Takes no new jobs; those that run go on. */
  async pause(): Promise<void> {
    await this.worker.pause(true);
  }

  /** Waits for the running jobs' processors. */
  async close(): Promise<void> {
    await this.worker.close().catch(() => undefined);
  }

  /** A job that can't even be put back fails, and the reconciler offers its task anew. */
  private async process(job: Job<PoolJob>, token: string | undefined): Promise<void> {
    const outcome = await this.run(ticketOf(job)).catch((error: unknown) => error);
    if (outcome === 'done') return;
    await job.moveToDelayed(Date.now() + (outcome === 'again' ? againAfterMs : afterErrorMs), token);
    throw new DelayedError();
  }
}

function ticketOf(job: Job<PoolJob>): Ticket {
  const started: PoolJobName = 'started';
  return {
    taskId: job.data.task_id,
    hasStarted: job.name === started,
    offeredMs: job.timestamp,
    rename: (taskId) => {
      // For the board, and for whoever gets the job when we die. Not done: the reconciler finds the task.
      job.updateData({ task_id: taskId }).catch(() => undefined);
    },
  };
}
