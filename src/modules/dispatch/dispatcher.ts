import type { Redis } from 'ioredis';
import type { PoolQueues } from '../admission/index.js';
import { closedChannel, type EventLog } from '../events/index.js';
import { workersKey, type Lease } from '../pools/index.js';
import type { StartableTask, StartedTask, StartNow } from '../tasks/index.js';
import { replicaToStartOn } from './candidates.js';
import { LateOffers } from './late-offers.js';
import { PoolProcessor } from './pool.processor.js';
import type { RunOutcome } from './run-context.js';
import { RunTask, type RunCollaborators } from './run-task.js';
import { TakeNext } from './take-next.js';
import type { Ticket } from './ticket.js';

export interface DispatcherOptions {
  readonly processId: string;
  readonly lockMs: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly onError: (error: Error) => void;
}

interface Running {
  readonly run: RunTask;
  readonly outcome: Promise<RunOutcome>;
  /** It has no ticket: the one that follows it waits for its end. */
  readonly beganAtOnce: boolean;
}

/** The worker role of a process: a processor for each pool, the tasks that run here, and the signs of life that keep them ours. */
export class Dispatcher {
  private readonly processors = new Map<string, PoolProcessor>();
  private readonly running = new Map<string, Running>();
  private readonly settling = new Set<Promise<unknown>>();
  private readonly stopping = new AbortController();
  private readonly lateOffers: LateOffers;
  private readonly takeNext: TakeNext;
  private timer: NodeJS.Timeout | null = null;
  private isDraining = false;

  constructor(
    private readonly queues: PoolQueues,
    private readonly connections: {
      readonly commands: Redis;
      readonly subscriber: Redis;
      readonly blocking: () => Redis;
    },
    private readonly with_: RunCollaborators & { readonly eventLog: EventLog },
    private readonly options: DispatcherOptions,
  ) {
    this.lateOffers = new LateOffers(queues, with_.eventLog, (taskId) => this.running.has(taskId));
    const { pools, claim, clock } = with_;
    this.takeNext = new TakeNext({
      pools,
      claim,
      clock,
      untilOver: (taskId) => this.running.get(taskId)?.outcome.catch(() => undefined) ?? null,
      isLeaving: () => this.isDraining,
    });
  }

  async start(): Promise<void> {
    const { subscriber } = this.connections;
    subscriber.on('message', this.onMessage);
    await subscriber.subscribe(closedChannel);
    for (const poolId of this.with_.pools.ids) this.processors.set(poolId, this.processorOf(poolId));
    this.with_.pools.onChange((poolId) => this.adjust(poolId));
    await this.beat();
    for (const processor of this.processors.values()) processor.start();
    this.timer = setInterval(() => void this.beat(), this.options.heartbeatMs);
    this.timer.unref();
  }

  /**
   * Takes no new tasks, lets running ones end for at most `graceMs`, then gives the rest up: they go to another worker, which continues
   * them where that is sound; where it isn't they end with WORKER_RESET.
   */
  async stop(graceMs: number): Promise<void> {
    this.isDraining = true;
    await Promise.all([...this.processors.values()].map((processor) => processor.pause().catch(() => undefined)));
    await this.sayGoodbye();
    await this.lateOffers.flush();
    const closed = Promise.all([
      ...[...this.processors.values()].map((processor) => processor.close()),
      ...[...this.running.values()].map(({ outcome }) => outcome.catch(() => undefined)),
    ]);
    const grace = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
    await Promise.race([closed, grace]);
    this.stopping.abort();
    for (const { run } of this.running.values()) run.shutdown();
    await closed;
    await Promise.allSettled([...this.running.values()].map(({ outcome }) => outcome));
    await Promise.allSettled(this.settling);
    if (this.timer !== null) clearInterval(this.timer);
    this.connections.subscriber.off('message', this.onMessage);
  }

  private processorOf(poolId: string): PoolProcessor {
    const { lockMs, onError } = this.options;
    const processor = new PoolProcessor(
      { poolId, connection: this.connections.blocking(), lockMs, onError },
      (ticket) => this.run(poolId, ticket),
    );
    processor.setSlots(this.slotsOf(poolId));
    return processor;
  }

  /**
   * Takes a task straight from its submit when nobody waits and a slot is free here: the way through the queue costs a waiting user
   * milliseconds. The engine begins while the row is being written. Its job is offered a moment later, for the board and for the case that
   * this process dies, and finds the task running, or done. Null: the task takes the way through the queue.
   */
  readonly startNow: StartNow = {
    choose: (poolId, wish) => {
      const pool = this.isDraining ? null : this.with_.pools.find(poolId);
      return pool === null ? null : replicaToStartOn(pool, wish);
    },
    start: (task, replicaId) => this.startTask(task, replicaId),
  };

  private async startTask(start: StartableTask, replicaId: string): Promise<StartedTask | null> {
    const { poolId, taskId, correlationId } = start;
    const pool = this.with_.pools.find(poolId);
    const replica = pool?.replicas.find(({ known }) => known.id === replicaId);
    if (pool === null || replica === undefined || this.running.has(taskId)) return null;
    const claim = await this.with_.claim.startNow(start, { id: replicaId, slots: replica.slots });
    if (claim === null) return null;
    let settleRow: (isThere: boolean) => void = () => undefined;
    const row = new Promise<boolean>((resolve) => {
      settleRow = resolve;
    });
    const named = { taskId, correlationId, beganAtOnce: true };
    const outcome = this.begin(poolId, named, (run) => run.runClaimed(pool, claim, row));
    outcome.catch(() => undefined);
    return {
      confirm: () => {
        settleRow(true);
        this.lateOffers.add(poolId, { job: { task_id: taskId }, priority: start.priority });
      },
      discard: async () => {
        settleRow(false);
        await outcome.catch(() => undefined);
        await this.with_.eventLog.discard(taskId);
      },
    };
  }

  private async run(poolId: string, ticket: Ticket): Promise<RunOutcome> {
    const underWay = ticket.hasStarted ? this.running.get(ticket.taskId) : undefined;
    if (underWay?.beganAtOnce === true && (await underWay.outcome.catch(() => 'again')) === 'done') return 'done';
    const taken = await this.takeNext.run(poolId, ticket);
    if (typeof taken === 'string') return taken;
    const { pool, claim } = taken;
    const { taskId, request } = claim;
    if (taskId !== ticket.taskId) ticket.rename(taskId);
    const named = { taskId, correlationId: request.correlation_id, beganAtOnce: false };
    return this.begin(poolId, named, (run) => run.runClaimed(pool, claim));
  }

  private begin(
    poolId: string,
    named: { readonly taskId: string; readonly correlationId: string; readonly beganAtOnce: boolean },
    start: (run: RunTask) => Promise<RunOutcome>,
  ): Promise<RunOutcome> {
    const { taskId, correlationId, beganAtOnce } = named;
    const context = { correlationId, signal: this.stopping.signal };
    const run = new RunTask(taskId, poolId, this.with_, context);
    const outcome = start(run).finally(() => {
      if (this.running.get(taskId)?.run === run) this.running.delete(taskId);
      const { settled } = run;
      this.settling.add(settled);
      void settled.finally(() => this.settling.delete(settled));
    });
    this.running.set(taskId, { run, outcome, beganAtOnce });
    return outcome;
  }

  private slotsOf(poolId: string): number {
    return this.with_.pools.find(poolId)?.slots ?? 0;
  }

  private adjust(poolId: string): void {
    if (this.isDraining) return;
    this.processors.get(poolId)?.setSlots(this.slotsOf(poolId));
    void this.beat();
  }

  /** Renews what would run out: leases, the word that this worker lives, and the bound on concurrent jobs (which Redis may have lost). */
  private async beat(): Promise<void> {
    const leases = [...this.running.values()]
      .map(({ run }) => run.lease)
      .filter((lease): lease is Lease => lease !== null);
    const { processId, leaseMs } = this.options;
    try {
      await this.with_.leases.renew(leases, leaseMs);
      for (const poolId of this.isDraining ? [] : this.with_.pools.ids) {
        const slots = this.slotsOf(poolId);
        if (slots > 0) await this.queues.of(poolId)?.limitConcurrency(slots);
        const key = workersKey(poolId);
        const now = this.with_.clock.now();
        const pipeline = this.connections.commands.pipeline().zremrangebyscore(key, '-inf', now);
        if (slots > 0) pipeline.zadd(key, now + leaseMs, processId);
        else pipeline.zrem(key, processId);
        await pipeline.exec();
      }
    } catch {
      // Redis is away; the next beat tries again.
    }
  }

  private async sayGoodbye(): Promise<void> {
    const pipeline = this.connections.commands.pipeline();
    for (const poolId of this.with_.pools.ids) pipeline.zrem(workersKey(poolId), this.options.processId);
    await pipeline.exec().catch(() => null);
  }

  private readonly onMessage = (channel: string, taskId: string): void => {
    if (channel === closedChannel) this.running.get(taskId)?.run.stopClosed();
  };
}
