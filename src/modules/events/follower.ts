import type { EventArchiveRepository } from './event-archive.repository.js';
import type { EventLog } from './event-log.js';
import type { LogChunk } from './log-chunk.js';

const chunksPerRead = 512;
const retryDelayMs = 250;
/** Chunks kept aside while the log is being read; beyond it they are dropped and read from the log instead. */
const maxAside = 1024;

/** Where a reader's events go. */
export interface FollowerSink {
  /** Events of `chunk` from id `from` on. False asks for a pause: the reader is behind; `resume` goes on. */
  write(chunk: LogChunk, from: number): void;
  /** The terminal event was written. */
  end(): void;
}

interface Sources {
  readonly log: EventLog;
  readonly archive: EventArchiveRepository;
  readonly hubId: string;
}

/** One reader's place in a task's log: it sees every event after its start once, in order, wherever the events come from. */
export class Follower {
  readonly cancelOnLeave: boolean;
  isDone = false;
  private nextId: number;
  private mode: 'reading' | 'live' | 'left' = 'reading';
  private aside: LogChunk[] = [];
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

  /** Goes live at once: the caller opened the log with this hub as a follower and hands over what it holds. */
  beginLive(): void {
    this.mode = 'live';
  }

  /** Takes a chunk from the hub. */
  receive(chunk: LogChunk): void {
    this.heardSinceSweep = true;
    if (this.mode === 'reading') {
      if (this.aside.length < maxAside) this.aside.push(chunk);
      return;
    }
    if (this.mode !== 'live' || chunk.last < this.nextId) return;
    if (chunk.first > this.nextId) this.catchUp();
    else this.hand(chunk);
  }

  /** Reads from the log what was missed. */
  catchUp(): void {
    if (this.mode !== 'live') return;
    this.mode = 'reading';
    this.aside = [];
    this.readOn();
  }

  /** Reads the log when nothing was heard since the last call: heals whatever went unheard. */
  checkQuiet(): void {
    if (!this.heardSinceSweep) this.catchUp();
    this.heardSinceSweep = false;
  }

  /** Resolves when all events up to `id` were handed to the sink, or the reader is gone. */
  async reached(id: number): Promise<void> {
    if (this.nextId > id || this.mode === 'left') return;
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
    this.readOnce().then(
      (isCaughtUp) => {
        if (this.mode !== 'reading') return;
        if (isCaughtUp) this.goLive();
        else this.readOn();
      },
      () => {
        if (this.mode === 'reading') setTimeout(() => this.readOn(), retryDelayMs);
      },
    );
  }

  private async readOnce(): Promise<boolean> {
    const { log, archive, hubId } = this.sources;
    const found = await log.read(this.taskId, this.nextId, chunksPerRead, hubId);
    if (found !== null) {
      this.handAll(found.chunks);
      return found.chunks.length < chunksPerRead;
    }
    // No log in Redis: it has expired (then the archive has it), or Redis lost it (then the reconciler opens or ends it soon).
    const kept = await archive.find(this.taskId);
    if (kept !== null) this.handAll(kept);
    return true;
  }

  private handAll(chunks: readonly LogChunk[]): void {
    for (const chunk of chunks) if (chunk.last >= this.nextId) this.hand(chunk);
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
    if (chunk.isFinal) {
      this.isDone = true;
      this.sink.end();
      this.leave();
    }
    if (this.waiters.length > 0) this.settle();
  }

  private settle(): void {
    const isOver = this.mode === 'left';
    const open = this.waiters.filter((waiter) => !isOver && waiter.id >= this.nextId);
    for (const waiter of this.waiters) if (!open.includes(waiter)) waiter.resolve();
    this.waiters = open;
  }
}
