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
 * burst of starts must not be slowed down by its own bookkeeping. Nothing depends on it: when this process dies, the reconciler finds the
 * tasks whose leases ran out.
 */
export class LateOffers {
  private readonly waiting = new Map<string, Offer[]>();
  private unkept: string[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly queues: { of(poolId: string): Pick<PoolQueue, 'showStarted'> | null },
    private readonly eventLog: Pick<EventLog, 'keep'>,
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
    const all = [...this.waiting].map(([poolId, offers]) => ({ poolId, some: offers.splice(0, mostAtOnce) }));
    for (const [poolId, offers] of this.waiting) if (offers.length === 0) this.waiting.delete(poolId);
    await Promise.all([this.keep(), ...all.map(({ poolId, some }) => this.send(poolId, some))]);
    if (this.waiting.size > 0 || this.unkept.length > 0) this.later();
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
    const queue = this.queues.of(poolId);
    await queue?.showStarted(offers).catch(() => {
      this.waiting.set(poolId, [...offers, ...(this.waiting.get(poolId) ?? [])]);
    });
  }
}
