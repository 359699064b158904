import type { Redis } from 'ioredis';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { eventLogKey, hubChannelPrefix, runRecordKey } from './event-keys.js';
import { LogChunk } from './log-chunk.js';
import { Pace } from './pace.js';
import type { ChunkSource, PendingChunk } from './pending-chunk.js';

const appendScript = new LuaScript(new URL('./append-run.lua', import.meta.url));
/** Bounds one script call, so that Redis answers others in between. */
const tasksPerCall = 512;
const retryDelayMs = 100;

/**
 * Carries what all running tasks of this process produce to Redis: one script call per event-loop tick, one in flight at a time, so that
 * a busy moment makes larger calls and not more of them. A call that fails is sent again until Redis takes it; the script tells a repeat.
 */
export class LogAppender {
  private dirty: ChunkSource[] = [];
  private state: 'idle' | 'gathering' | 'scheduled' | 'sending' = 'idle';
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
    if (this.state === 'idle') this.schedule(writer.isUrgent ? 0 : this.pace.gatherMs());
    else if (this.state === 'gathering' && writer.isUrgent) this.schedule(0);
  }

  private schedule(waitMs: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.state = waitMs === 0 ? 'scheduled' : 'gathering';
    if (waitMs === 0) setImmediate(() => this.flush());
    else this.timer = setTimeout(() => this.flush(), waitMs);
  }

  private flush(): void {
    this.timer = null;
    const writers = this.dirty.length > tasksPerCall ? this.dirty.splice(0, tasksPerCall) : this.dirty;
    if (writers === this.dirty) this.dirty = [];
    const chunks: PendingChunk[] = [];
    for (const writer of writers) {
      const chunk = writer.take();
      if (chunk !== null) chunks.push(chunk);
    }
    if (chunks.length === 0) {
      this.next();
      return;
    }
    this.state = 'sending';
    this.send(chunks);
  }

  private send(chunks: readonly PendingChunk[]): void {
    const keys: string[] = [];
    const args: (string | number)[] = [this.ownHubId ?? '', hubChannelPrefix];
    for (const { writer, first, last, tokens, plain, verbose, facts } of chunks) {
      const { taskId, fence } = writer;
      const extras = verbose === '' ? (facts === '' ? '-' : 'f') : facts === '' ? 'v' : 'b';
      keys.push(runRecordKey(taskId), eventLogKey(taskId));
      args.push(`${taskId} ${fence} ${first} ${last} ${tokens} ${extras}`, plain);
      if (verbose !== '') args.push(verbose);
      if (facts !== '') args.push(facts);
    }
    appendScript.run(this.redis, keys, args).then(
      (reply) => this.acknowledge(chunks, reply as number[]),
      () => setTimeout(() => this.send(chunks), retryDelayMs),
    );
  }

  private acknowledge(chunks: readonly PendingChunk[], reply: readonly number[]): void {
    const local: LogChunk[] = [];
    for (let c = 0; c < chunks.length; c++) {
      const chunk = chunks[c];
      if (chunk === undefined) continue;
      const { writer, first, last } = chunk;
      const taken = reply[c] === 1;
      if (taken && this.ownHubId !== null) {
        const plain = Buffer.from(chunk.plain, 'utf8');
        const verbose = chunk.verbose === '' ? plain : Buffer.from(chunk.verbose, 'utf8');
        local.push(new LogChunk(writer.taskId, { first, last, isFinal: false }, plain, verbose));
      }
      writer.acknowledge(taken);
    }
    if (local.length > 0) this.deliverLocally(local);
    this.next();
  }

  private next(): void {
    if (this.dirty.length === 0) {
      this.state = 'idle';
      return;
    }
    this.schedule(this.dirty.some(({ isUrgent }) => isUrgent) ? 0 : this.pace.gatherMs());
  }
}
