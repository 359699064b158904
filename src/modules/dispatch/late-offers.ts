import type { Priority } from '../../contract/common.js';
import type { PoolJob, PoolQueue } from '../admission/index.js';
import type { EventLog } from '../events/index.js';

const flushMs = 500;

interface Offer {
  readonly job: PoolJob;
  readonly priority: Priority;
}

/**
 * Puts tasks that began without waiting into their queue afterwards, gathered: the board shows them, and when this process dies another
 * worker is called. What is lost with the process before it was flushed, the reconciler finds.
 */
export class LateOffers {
  private readonly waiting = new Map<string, Offer[]>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly queues: { of(poolId: string): Pick<PoolQueue, 'offerAll'> | null },
    private readonly eventLog: Pick<EventLog, 'keep'>,
  ) {}

  add(poolId: string, offer: Offer): void {
    const offers = this.waiting.get(poolId);
    if (offers === undefined) this.waiting.set(poolId, [offer]);
    else offers.push(offer);
    this.timer ??= setTimeout(() => void this.flush(), flushMs).unref();
  }

  /** Sends what has gathered. What Redis doesn't take is sent again: a log that is not kept is forgotten under its running task. */
  async flush(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const all = [...this.waiting];
    this.waiting.clear();
    await Promise.all(all.map(([poolId, offers]) => this.send(poolId, offers)));
  }

  private async send(poolId: string, offers: readonly Offer[]): Promise<void> {
    try {
      await Promise.all([
        this.eventLog.keep(offers.map(({ job }) => job.task_id)),
        this.queues.of(poolId)?.offerAll(offers),
      ]);
    } catch {
      for (const offer of offers) this.add(poolId, offer);
    }
  }
}
