import type { MetricsEvent } from '../../contract/events.js';
import { runningFence } from './event-log.js';
import { encodeMetrics, encodeToken } from './frames.js';
import type { LogAppender } from './log-appender.js';
import type { ChunkSource, PendingChunk } from './pending-chunk.js';

/** More than this many bytes waiting for Redis, and the engine is asked to pause; it goes on below the half. */
const highWaterBytes = 4 * 1024 * 1024;

export interface RunLogStart {
  readonly taskId: string;
  readonly attempt: number;
  /** Highest event id the log holds. */
  readonly lastId: number;
  /** Tokens the log holds. */
  readonly tokens: number;
}

export interface RunLogWatcher {
  /** Somebody else closed or took over the task: nothing more of this attempt is kept. */
  onFencedOff(): void;
  onPause(): void;
  onResume(): void;
}

/**
 * Writes the events of one run attempt. Calls are synchronous and cheap; what a tick produced goes out together. Events held back by
 * `hold` stay in memory until `release`: the row must say `running` before a reader may see a token.
 */
export class RunLogWriter implements ChunkSource {
  readonly taskId: string;
  readonly fence: string;
  takenOver: number | null = null;
  /** Highest event id that Redis has said it has. */
  takenId: number;
  private sentId: number;
  private nextId: number;
  private tokenCount: number;
  private plain = '';
  /** Null as long as verbose readers see the same. */
  private verbose: string | null = null;
  private first = 0;
  private facts = '';
  private isQueued = false;
  private isHeld: boolean;
  private isFencedOff = false;
  private isPaused = false;
  private inFlight = false;
  private readonly drained: (() => void)[] = [];
  private readonly released: (() => void)[] = [];

  constructor(
    private readonly appender: Pick<LogAppender, 'enqueue'>,
    start: RunLogStart,
    private readonly watcher: RunLogWatcher,
    options: { readonly hold: boolean },
  ) {
    this.taskId = start.taskId;
    this.fence = runningFence(start.attempt);
    this.nextId = start.lastId + 1;
    this.takenId = start.lastId;
    this.sentId = start.lastId;
    this.tokenCount = start.tokens;
    this.isHeld = options.hold;
  }

  /** Tokens written so far, those of earlier attempts included. */
  get tokens(): number {
    return this.tokenCount;
  }

  /** Appends one token's text. */
  token(text: string): void {
    if (this.isFencedOff) return;
    const frame = encodeToken(this.nextId, this.tokenCount, text);
    this.tokenCount += 1;
    this.add(frame, null);
  }

  /** Appends a metrics frame. */
  metrics(data: MetricsEvent): void {
    if (this.isFencedOff) return;
    const { plain, verbose } = encodeMetrics(this.nextId, data);
    this.add(plain, verbose);
  }

  /**
   * Notes what is known at the first token, for whoever closes the log or continues it.
   * @param origin what the token came from; null: not known
   */
  noteFirstToken(firstTokenMs: number, tokensIn: number, origin: string | null): void {
    this.facts = `${firstTokenMs},${tokensIn}${origin === null ? '' : `,${origin}`}`;
  }

  /** Lets held events go out. */
  release(): void {
    this.isHeld = false;
    this.queue();
    settleAll(this.released);
  }

  /** Drops what was not sent; nothing goes out after this. */
  abandon(): void {
    this.isFencedOff = true;
    this.plain = '';
    this.verbose = null;
    settleAll(this.drained);
    settleAll(this.released);
  }

  /** Resolves once everything appended so far lies in Redis: true. False when it never will. */
  async flushed(): Promise<boolean> {
    if (!this.isIdle()) await new Promise<void>((resolve) => this.drained.push(resolve));
    return !this.isFencedOff;
  }

  /** The same once nothing is held back any more: the end of a task that made no tokens waits for its row like that of any other. */
  async shown(): Promise<boolean> {
    if (this.isHeld && !this.isFencedOff) await new Promise<void>((resolve) => this.released.push(resolve));
    return this.flushed();
  }

  take(): PendingChunk | null {
    this.isQueued = false;
    if (this.plain === '' || this.isHeld) return null;
    const { first, plain } = this;
    const chunk = {
      writer: this,
      first,
      last: this.nextId - 1,
      tokens: this.tokenCount,
      plain,
      verbose: this.verbose ?? '',
      facts: this.facts,
    };
    this.plain = '';
    this.verbose = null;
    this.facts = '';
    this.inFlight = true;
    this.sentId = chunk.last;
    return chunk;
  }

  acknowledge(taken: boolean): void {
    this.inFlight = false;
    if (!taken && !this.isFencedOff) {
      this.abandon();
      this.watcher.onFencedOff();
      return;
    }
    this.takenId = this.sentId;
    if (this.isPaused && this.plain.length < highWaterBytes / 2) {
      this.isPaused = false;
      this.watcher.onResume();
    }
    if (this.isIdle()) settleAll(this.drained);
    else this.queue();
  }

  /** @param verbose null where verbose readers see the same */
  private add(plain: string, verbose: string | null): void {
    if (this.plain === '') this.first = this.nextId;
    if (verbose !== null && this.verbose === null) this.verbose = this.plain;
    this.plain += plain;
    if (this.verbose !== null) this.verbose += verbose ?? plain;
    this.nextId += 1;
    if (!this.isPaused && this.plain.length > highWaterBytes) {
      this.isPaused = true;
      this.watcher.onPause();
    }
    this.queue();
  }

  private queue(): void {
    if (this.isQueued || this.isHeld || this.inFlight || this.plain === '') return;
    this.isQueued = true;
    this.appender.enqueue(this);
  }

  private isIdle(): boolean {
    return this.isFencedOff || (this.plain === '' && !this.inFlight);
  }
}

function settleAll(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}
