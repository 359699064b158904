import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { EndedLogs } from './ended-logs.port.js';
import { hubChannelPrefix } from './event-keys.js';
import type { EventLog } from './event-log.js';
import { Follower, type FollowerSink } from './follower.js';
import { decodeChunks, type LogChunk } from './log-chunk.js';

/**
 * All readers of this process behind one subscription. New events come as messages (or straight from a writer in the same process); the
 * log in Redis is read only to catch up: at the start, after a gap, and now and then for a reader that has heard nothing.
 */
export class EventHub {
  private readonly followers = new Map<string, Set<Follower>>();
  private sweep: NodeJS.Timeout | null = null;

  constructor(
    readonly id: string,
    private readonly subscriber: Redis,
    private readonly log: EventLog,
    private readonly ended: EndedLogs,
    private readonly options: {
      readonly sweepMs: number;
      readonly onLastReaderGone: (taskId: string, wantsCancel: boolean) => void;
    },
  ) {}

  /** A name for a hub: unique to this run of the process. */
  static newId(): string {
    return randomUUID().slice(0, 8);
  }

  async start(): Promise<void> {
    this.subscriber.on('messageBuffer', this.onMessage);
    // Messages sent while the connection was down are gone: read what was missed.
    this.subscriber.on('ready', this.catchUpAll);
    this.sweep = setInterval(this.sweepQuiet, this.options.sweepMs);
    this.sweep.unref();
    await this.subscriber.subscribe(hubChannelPrefix + this.id);
  }

  stop(): void {
    if (this.sweep !== null) clearInterval(this.sweep);
    this.subscriber.off('messageBuffer', this.onMessage);
    this.subscriber.off('ready', this.catchUpAll);
    for (const set of this.followers.values()) for (const follower of set) follower.drop();
    this.followers.clear();
  }

  /**
   * Attaches a reader; its `begin` or `beginLive` starts the flow.
   * @param afterId events above this id are delivered
   */
  follow(taskId: string, options: { afterId: number; cancelOnLeave: boolean }, sink: FollowerSink): Follower {
    const follower = new Follower(taskId, options, sink, { log: this.log, ended: this.ended, hubId: this.id }, () =>
      this.leave(follower),
    );
    const set = this.followers.get(taskId);
    if (set === undefined) this.followers.set(taskId, new Set([follower]));
    else set.add(follower);
    return follower;
  }

  /** Hands chunks to the readers here; called for messages and by writers in this process. */
  readonly deliver = (chunks: readonly LogChunk[]): void => {
    for (const chunk of chunks) {
      const set = this.followers.get(chunk.taskId);
      if (set === undefined) continue;
      for (const follower of set) follower.receive(chunk);
    }
  };

  /** Resolves when every reader of the task here has been handed all events up to `id`. */
  async deliveredUpTo(taskId: string, id: number): Promise<void> {
    const set = this.followers.get(taskId);
    if (set === undefined) return;
    await Promise.all([...set].map((follower) => follower.reached(id)));
  }

  private leave(follower: Follower): void {
    const set = this.followers.get(follower.taskId);
    if (set === undefined || !set.delete(follower) || set.size > 0) return;
    this.followers.delete(follower.taskId);
    if (follower.isDone) return;
    this.log.unfollow(follower.taskId, this.id).then(
      (left) => {
        if (left === 0 && !this.followers.has(follower.taskId))
          this.options.onLastReaderGone(follower.taskId, follower.cancelOnLeave);
      },
      () => undefined, // Redis is away: the stale name in the record costs one message without listeners.
    );
  }

  private readonly onMessage = (channel: Buffer, message: Buffer): void => {
    if (channel.toString('latin1') === hubChannelPrefix + this.id) this.deliver(decodeChunks(message));
  };

  private readonly catchUpAll = (): void => {
    for (const set of this.followers.values()) for (const follower of set) follower.catchUp();
  };

  private readonly sweepQuiet = (): void => {
    for (const set of this.followers.values()) for (const follower of set) follower.checkQuiet();
  };
}
