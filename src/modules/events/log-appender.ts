import type { Redis } from 'ioredis';
import { sendGathered } from '../../platform/redis/gathered-writes.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { AppendBatch } from './append-batch.js';
import { eventLogPrefix, hubChannelPrefix, runRecordPrefix } from './event-keys.js';
import type { LogChunk } from './log-chunk.js';
import { Pace } from './pace.js';
import type { ChunkSource, PendingChunk } from './pending-chunk.js';

const appendScript = new LuaScript(new URL('./append-run.lua', import.meta.url));
/** Bounds one script call, so that Redis answers others in between. */
const tasksPerCall = 128;
/** While Redis works on one call, the next is made ready and the last one's readers are served. */
const callsInFlight = 8;
const retryDelayMs = 100;

/**
 * Carries what all running tasks of this process produce to Redis: one script call per event-loop tick, a few in flight at most, so that a
 * busy moment makes larger calls and not ever more of them. No writer is in two calls at a time: what it adds meanwhile goes out after the
 * answer, so that a call that failed can be sent again until Redis takes it; the script tells a repeat.
 */
export class LogAppender {
  private dirty: ChunkSource[] = [];
  private inFlight = 0;
  /** Of the next flush: none planned, gathering until the timer, or at the end of this turn. */
  private plan: 'none' | 'gathering' | 'now' = 'none';
  private timer: NodeJS.Timeout | null = null;
  private readonly pace = new Pace();

  constructor(
    private readonly redis: Redis,
    private readonly ownHubId: string | null,
    /** Feeds readers in this process, after Redis has acknowledged. */
    private readonly deliverLocally: (chunks: readonly LogChunk[]) => void,
  ) {}

  /** Called by a writer when it has something new and wasn't queued yet. */
  enqueue(writer: ChunkSource): void {
    this.dirty.push(writer);
    this.pace.count();
    if (this.plan === 'none' || (this.plan === 'gathering' && writer.isUrgent)) this.schedule(writer.isUrgent);
  }

  private schedule(isUrgent: boolean): void {
    if (this.inFlight >= callsInFlight) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const waitMs = isUrgent ? 0 : this.pace.gatherMs();
    this.plan = waitMs === 0 ? 'now' : 'gathering';
    if (waitMs === 0) setImmediate(() => this.flush());
    else this.timer = setTimeout(() => this.flush(), waitMs);
  }

  /** Sends all there is, as far as calls may be under way: what stays behind waits for an answer of Redis, and that for a turn of the loop. */
  private flush(): void {
    this.timer = null;
    this.plan = 'none';
    while (this.dirty.length > 0 && this.inFlight < callsInFlight) {
      const writers = this.dirty.splice(0, tasksPerCall);
      const chunks: PendingChunk[] = [];
      for (const writer of writers) {
        const chunk = writer.take();
        if (chunk !== null) chunks.push(chunk);
      }
      if (chunks.length === 0) continue;
      this.inFlight += 1;
      this.send(new AppendBatch(chunks));
    }
    sendGathered(this.redis);
  }

  private send(batch: AppendBatch): void {
    const args = [this.ownHubId ?? '', hubChannelPrefix, runRecordPrefix, eventLogPrefix, batch.bytes, batch.lines];
    appendScript.run(this.redis, [], args).then(
      (reply) => this.acknowledge(batch, new Set((reply as number[]).map((place) => place - 1))),
      () => setTimeout(() => this.send(batch), retryDelayMs),
    );
  }

  private acknowledge(batch: AppendBatch, refused: ReadonlySet<number>): void {
    batch.acknowledge(refused);
    this.inFlight -= 1;
    // Redis first: it works while the readers here are served.
    this.next();
    if (this.ownHubId !== null) this.deliverLocally(batch.delivered(refused));
  }

  private next(): void {
    if (this.plan === 'none' && this.dirty.length > 0) this.schedule(this.dirty.some(({ isUrgent }) => isUrgent));
  }
}
