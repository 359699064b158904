import type { Redis } from 'ioredis';
import { atTurnsEnd } from '../../platform/gathering/turns-end.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { AppendBatch } from './append-batch.js';
import { firstEventLua, loseLogLua, lostLogId } from './event-log.js';
import { eventLogPrefix, hubChannelPrefix, runRecordPrefix } from './event-keys.js';
import type { LogChunk } from './log-chunk.js';
import type { ChunkSource, PendingChunk } from './pending-chunk.js';

const appendScript = new LuaScript(new URL('./append-run.lua', import.meta.url), firstEventLua, loseLogLua);
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
  private isPlanned = false;
  /** Grows with each connection to Redis that is lost. */
  private connection = 0;

  constructor(
    private readonly redis: Redis,
    private readonly ownHubId: string | null,
    /** Feeds readers in this process, after Redis has acknowledged. */
    private readonly deliverLocally: (chunks: readonly LogChunk[]) => void,
  ) {
    redis.on('close', () => (this.connection += 1));
  }

  /** Called by a writer when it has something new and wasn't queued yet. */
  enqueue(writer: ChunkSource): void {
    this.dirty.push(writer);
    this.plan();
  }

  /** Sends at the end of this turn. */
  private plan(): void {
    if (this.isPlanned || this.inFlight >= callsInFlight) return;
    this.isPlanned = true;
    atTurnsEnd(() => this.flush());
  }

  /** Sends all there is, as far as calls may be under way: what stays behind waits for an answer of Redis, and that for a turn of the loop. */
  private flush(): void {
    this.isPlanned = false;
    while (this.dirty.length > 0 && this.inFlight < callsInFlight) {
      const writers = this.dirty.splice(0, tasksPerCall);
      const chunks: PendingChunk[] = [];
      for (const writer of writers) {
        const chunk = writer.take();
        if (chunk !== null) chunks.push(chunk);
      }
      if (chunks.length === 0) continue;
      this.inFlight += 1;
      this.send(new AppendBatch(chunks, this.connection), false);
    }
  }

  private send(batch: AppendBatch, isRepeat: boolean): void {
    const prefixes = [hubChannelPrefix, runRecordPrefix, eventLogPrefix];
    const args = [this.ownHubId ?? '', ...prefixes, batch.bytes, batch.words, isRepeat ? 1 : 0, lostLogId - 1];
    appendScript.run(this.redis, [], args).then(
      (reply) => this.acknowledge(batch, new Set((reply as number[]).map((place) => place - 1))),
      () => setTimeout(() => this.send(batch, true), retryDelayMs),
    );
  }

  private acknowledge(batch: AppendBatch, refused: ReadonlySet<number>): void {
    batch.acknowledge(refused);
    this.inFlight -= 1;
    if (this.dirty.length > 0) this.plan();
    if (this.ownHubId !== null) this.deliverLocally(batch.delivered(refused));
  }
}
