import type { Priority } from '../../contract/common.js';
import type { PoolJob, PoolQueue } from '../admission/index.js';
import type { EventLog } from '../events/index.js';

const flushMs = 500;
const mostAtOnce = 32;

interface Offer {
  readonly job: PoolJob;
  readonly priority: Priority;
}

/**
 * Puts tasks that began without waiting into their queue afterwards, for the board and for whoever watches the queue. Few at a time: a
 * burst of starts must not be slowed down by its own bookkeeping, and what has ended before its turn in a burst is not shown at all. Nothing
 * depends on it: when this process dies, the reconciler finds the tasks whose leases ran out.
 */
export class LateOffers {
  private readonly waiting = new Map<string, Offer[]>();
  private unkept: string[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly queues: { of(poolId: string): Pick<PoolQueue, 'showStarted'> | null },
    private readonly eventLog: Pick<EventLog, 'keep'>,
    private readonly isRunning: (taskId: string) => boolean,
  ) {}

  add(poolId: string, offer: Offer): void {
    const offers = this.waiting.get(poolId);
    if (offers === undefined) this.waiting.set(poolId, [offer]);
    else offers.push(offer);
    this.unkept.push(offer.job.task_id);
    this.later();
  }

  /** Keeps all new logs and sends some offers. What Redis doesn't take is sent again: a log that is not kept is forgotten under its running task. */
  async flush(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const all = [...this.waiting].map(([poolId, offers]) => ({ poolId, some: this.next(poolId, offers) }));
    await Promise.all([this.keep(), ...all.map(({ poolId, some }) => this.send(poolId, some))]);
    if (this.waiting.size > 0 || this.unkept.length > 0) this.later();
  }

  /** Takes the next offers of a pool. */
  private next(poolId: string, offers: readonly Offer[]): Offer[] {
    const isBurst = offers.length > mostAtOnce;
    const shown = isBurst ? offers.filter(({ job }) => this.isRunning(job.task_id)) : offers;
    const left = shown.slice(mostAtOnce);
    if (left.length > 0) this.waiting.set(poolId, left);
    else this.waiting.delete(poolId);
    return shown.slice(0, mostAtOnce);
  }

  private later(): void {
    this.timer ??= setTimeout(() => void this.flush(), flushMs).unref();
  }

  private async keep(): Promise<void> {
    const taskIds = this.unkept;
    this.unkept = [];
    if (taskIds.length === 0) return;
    await this.eventLog.keep(taskIds).catch(() => this.unkept.push(...taskIds));
  }

  private async send(poolId: string, offers: readonly Offer[]): Promise<void> {
    if (offers.length === 0) return;
    const queue = this.queues.of(poolId);
    await queue?.showStarted(offers).catch(() => {
      this.waiting.set(poolId, [...offers, ...(this.waiting.get(poolId) ?? [])]);
    });
  }
}
