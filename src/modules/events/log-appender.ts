import type { Redis } from 'ioredis';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { eventLogKey, hubChannelPrefix, runRecordKey } from './event-keys.js';
import { LogChunk } from './log-chunk.js';
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
      const chunks = writers.flatMap((writer) => writer.take() ?? []);
      if (chunks.length === 0) continue;
      this.inFlight += 1;
      this.send(chunks);
    }
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
    this.inFlight -= 1;
    // Redis first: it works while the readers here are served.
    this.next();
    if (local.length > 0) this.deliverLocally(local);
  }

  private next(): void {
    if (this.plan === 'none' && this.dirty.length > 0) this.schedule(this.dirty.some(({ isUrgent }) => isUrgent));
  }
}
