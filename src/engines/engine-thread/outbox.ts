import type { BatchCount } from './batch-count.js';
import { Pace } from './pace.js';
import type { Batch, Told } from './thread-messages.js';

/** Batches posted and not taken: while the process works on one, the next are made ready. */
const batchesUnderWay = 4;
/** Characters of text that wait to be posted; beyond, those who bring more are held. */
const highWater = 1024 * 1024;

/** Somebody who brings text, and can be asked to wait. */
export interface Source {
  readonly id: number;
  hold(): void;
  goOn(): void;
}

/**
 * Gathers what a turn of the thread's event loop brings, and posts it as one batch. A process that falls behind is sent larger batches, not
 * more of them; when also that is too much, engines are read no further.
 */
export class Outbox {
  private batch: Batch = [];
  private characters = 0;
  private posted = 0;
  /** Of the next post: none planned, gathering until the timer, or at the end of this turn. */
  private state: 'none' | 'gathering' | 'now' = 'none';
  private timer: NodeJS.Timeout | null = null;
  private readonly pace = new Pace();
  private readonly held = new Set<Source>();

  constructor(
    private readonly post: (batch: Batch) => void,
    private readonly count: BatchCount,
  ) {}

  /** @param isUrgent it waits for no others */
  text(source: Source, text: string, isUrgent: boolean): void {
    this.pace.count();
    this.batch.push(source.id, text);
    this.characters += text.length;
    if (this.characters > highWater && !this.held.has(source)) {
      this.held.add(source);
      source.hold();
    }
    this.plan(isUrgent);
  }

  tell(id: number, told: Told): void {
    this.batch.push(id, told);
    this.plan(true);
  }

  /** The process has taken what was under way. */
  readonly goOn = (): void => this.plan(true);

  private plan(isUrgent: boolean): void {
    if (this.state === 'now' || (this.state === 'gathering' && !isUrgent)) return;
    const waitMs = isUrgent ? 0 : this.pace.gatherMs();
    this.state = waitMs === 0 ? 'now' : 'gathering';
    if (waitMs > 0) this.timer = setTimeout(this.flush, waitMs);
    else setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.state = 'none';
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.batch.length === 0) return;
    const isFull = this.count.underWay(this.posted) >= batchesUnderWay;
    if (isFull && this.count.wait(this.posted, batchesUnderWay)) return;
    const { batch } = this;
    this.batch = [];
    this.characters = 0;
    this.posted += 1;
    this.post(batch);
    const held = [...this.held];
    this.held.clear();
    for (const source of held) source.goOn();
  };
}
