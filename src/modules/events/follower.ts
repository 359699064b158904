import type { EndedLogs } from './ended-logs.port.js';
import type { EventLog } from './event-log.js';
import type { LogChunk } from './log-chunk.js';

const chunksPerRead = 512;
const retryDelayMs = 250;
/** Chunks kept aside while the log is being read; beyond it they are dropped and read from the log instead. */
const maxAside = 1024;

/** Where a reader's events go. */
export interface FollowerSink {
  /** Events of `chunk` from id `from` on. */
  write(chunk: LogChunk, from: number): void;
  /** Null when more may be written at once; else resolves when it may, or when nobody reads any more. */
  drained(): Promise<void> | null;
  /** Nothing more will come: the terminal event was written, now or to an earlier connection of the reader. */
  end(): void;
}

interface Sources {
  readonly log: Pick<EventLog, 'read'>;
  readonly ended: EndedLogs;
  readonly hubId: string;
}

/** One reader's place in a task's log: it sees every event after its start once, in order, wherever the events come from. */
export class Follower {
  readonly cancelOnLeave: boolean;
  isDone = false;
  private nextId: number;
  private mode: 'reading' | 'live' | 'left' = 'reading';
  private aside: LogChunk[] = [];
  /** More came than is kept aside. */
  private hasDropped = false;
  /** It reads on only as fast as its client does. */
  private isBehind = false;
  private heardSinceSweep = true;
  private waiters: { id: number; resolve: () => void }[] = [];

  constructor(
    readonly taskId: string,
    options: { readonly afterId: number; readonly cancelOnLeave: boolean },
    private readonly sink: FollowerSink,
    private readonly sources: Sources,
    private readonly onLeave: () => void,
  ) {
    this.nextId = options.afterId + 1;
    this.cancelOnLeave = options.cancelOnLeave;
  }

  /** Reads what the log holds, then goes live. Call once after attaching. */
  begin(): void {
    this.mode = 'live';
    this.catchUp();
  }

  /** Goes live at once: the log was opened with this hub as a follower, and `started` is all it held then. */
  beginLive(started: LogChunk): void {
    const { aside } = this;
    this.mode = 'live';
    this.aside = [];
    this.receive(started);
    for (const chunk of aside) this.receive(chunk);
  }

  /** Takes a chunk from the hub. */
  receive(chunk: LogChunk): void {
    this.heardSinceSweep = true;
    if (this.mode === 'reading') {
      if (this.aside.length < maxAside) this.aside.push(chunk);
      else this.hasDropped = true;
      return;
    }
    if (this.mode !== 'live') return;
    if (chunk.last < this.nextId) {
      if (chunk.isFinal) this.finish();
    } else if (chunk.first > this.nextId) this.catchUp();
    else this.hand(chunk);
  }

  /** Reads from the log what was missed. */
  catchUp(): void {
    if (this.mode !== 'live') return;
    this.mode = 'reading';
    this.readOn();
  }

  /** Reads the log when nothing was heard since the last call: heals whatever went unheard. */
  checkQuiet(): void {
    if (!this.heardSinceSweep) this.catchUp();
    this.heardSinceSweep = false;
  }

  /** Resolves when all events up to `id` were handed to the sink, or the reader is gone, or so slow that nobody should wait for it. */
  async reached(id: number): Promise<void> {
    if (this.nextId > id || this.mode === 'left' || this.isBehind) return;
    const reached = new Promise<void>((resolve) => this.waiters.push({ id, resolve }));
    this.catchUp();
    await reached;
  }

  /** The reader went away. */
  leave(): void {
    if (this.mode === 'left') return;
    this.drop();
    this.onLeave();
  }

  /** The hub stops. */
  drop(): void {
    this.mode = 'left';
    this.aside = [];
    this.settle();
  }

  private readOn(): void {
    this.aside = [];
    this.hasDropped = false;
    this.readOnce().then(
      (isCaughtUp) => {
        if (this.mode !== 'reading') return;
        if (isCaughtUp && !this.hasDropped) this.goLive();
        else this.readOn();
      },
      () => {
        if (this.mode === 'reading') setTimeout(() => this.readOn(), retryDelayMs);
      },
    );
  }

  private async readOnce(): Promise<boolean> {
    const { log, ended, hubId } = this.sources;
    const found = await log.read(this.taskId, this.nextId, chunksPerRead, hubId);
    if (found !== null) {
      await this.handAll(found.chunks);
      const isCaughtUp = found.chunks.length < chunksPerRead;
      if (isCaughtUp && found.fence === 'x') this.finish();
      return isCaughtUp;
    }
    // No log in Redis: it has expired (then it was kept elsewhere), or Redis lost it (then the reconciler opens or ends it soon).
    const kept = await ended.find(this.taskId);
    if (kept === 'open') return true;
    if (kept !== 'gone') await this.handAll(kept);
    this.finish();
    return true;
  }

  private async handAll(chunks: readonly LogChunk[]): Promise<void> {
    for (const chunk of chunks) {
      if (chunk.last < this.nextId) continue;
      this.hand(chunk);
      const drained = this.mode === 'reading' ? this.sink.drained() : null;
      if (drained === null) continue;
      this.isBehind = true;
      this.settle();
      await drained;
      this.isBehind = false;
    }
  }

  private goLive(): void {
    const aside = this.aside;
    this.mode = 'live';
    this.aside = [];
    for (const chunk of aside) this.receive(chunk);
  }

  private hand(chunk: LogChunk): void {
    if (this.mode === 'left') return;
    const from = this.nextId;
    this.nextId = chunk.last + 1;
    this.heardSinceSweep = true;
    this.sink.write(chunk, from);
    if (chunk.isFinal) this.finish();
    if (this.waiters.length > 0) this.settle();
  }

  private finish(): void {
    if (this.mode === 'left') return;
    this.isDone = true;
    this.sink.end();
    this.leave();
  }

  private settle(): void {
    const isOver = this.mode === 'left' || this.isBehind;
    const open = this.waiters.filter((waiter) => !isOver && waiter.id >= this.nextId);
    for (const waiter of this.waiters) if (!open.includes(waiter)) waiter.resolve();
    this.waiters = open;
  }
}
