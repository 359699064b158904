import type { Redis } from 'ioredis';
import type { Clock } from '../../platform/clock/clock.js';
import { atBurstsEnd } from '../../platform/gathering/bursts-end.js';
import { GatheredCalls } from '../../platform/redis/gathered-calls.js';
import { LuaScript } from '../../platform/redis/lua-script.js';
import { begunBy } from './attempt-numbers.js';
import { closedChannel, eventLogKey, hubChannelPrefix, runRecordKey, runRecordPrefix } from './event-keys.js';
import type { FrameTemplate, TerminalFrame } from './frames.js';
import { chunkOfEntry, joinedChunks, LogChunk } from './log-chunk.js';
import { openArguments, type OpenLog } from './open-log.js';

/** Functions that scripts need which read or write the log of a task that may still wait. */
export const firstEventLua = new URL('./first-event.lua', import.meta.url);
/** What a script needs that may come upon a log which lost something. */
export const loseLogLua = new URL('./lose-log.lua', import.meta.url);

const tellScript = new LuaScript(new URL('./tell-waiting.lua', import.meta.url), firstEventLua);
const openScript = new LuaScript(new URL('./open-log.lua', import.meta.url), firstEventLua);
const keepScript = new LuaScript(new URL('./keep-log.lua', import.meta.url));
const closeScript = new LuaScript(new URL('./close-log.lua', import.meta.url), firstEventLua, loseLogLua);
const followScript = new LuaScript(new URL('./follow-log.lua', import.meta.url), firstEventLua);
const forgetScript = new LuaScript(new URL('./forget-log.lua', import.meta.url));
const markStoppedScript = new LuaScript(new URL('./mark-stopped.lua', import.meta.url));
const readScript = new LuaScript(new URL('./read-log.lua', import.meta.url));
const standingsScript = new LuaScript(new URL('./standings.lua', import.meta.url));
const unfollowScript = new LuaScript(new URL('./unfollow-log.lua', import.meta.url));

/** Logs that one script call opens at the most. */
const mostOpened = 16;

/** Ids have ten digits at the most; a task of this many events does not exist. */
export const lostLogId = 2_000_000_000;

/** Who may write to a log: `q` nobody yet, `r<attempt>` that attempt, `x` nobody any more. */
export type Fence = string;

export const runningFence = (attempt: number): Fence => `r${attempt}`;

/** How a task stands in Redis. */
export interface Standing {
  /** Null: it has no run record. */
  readonly fence: Fence | null;
  /** The pool that it was placed in again; null: none. */
  readonly poolId: string | null;
  /** The number of its newest attempt; 0: there was none. */
  readonly attempt: number;
}

/** A frame for a task that waits. */
export interface WaitingFrame {
  readonly taskId: string;
  /** What its readers were told last, as `told` of the frame before; '' before the first. */
  readonly toldBefore: string;
  readonly told: string;
  readonly frame: FrameTemplate;
}

export type CloseOutcome =
  | {
      readonly kind: 'closed';
      readonly chunk: LogChunk;
      readonly tokensOut: number;
      readonly tokensIn: number;
      readonly decodeTimeMs: number;
      readonly firstTokenMs: number | null;
      readonly fenceBefore: Fence;
    }
  | { readonly kind: 'kept'; readonly lastId: number; readonly tokensOut: number; readonly fence: Fence }
  | { readonly kind: 'missing' };

/** The event log of each task in Redis: opened once, written by one attempt at a time, closed once. Every method rejects when Redis is away. */
export class EventLog {
  private readonly opening = new GatheredCalls<null, OpenLog, boolean>(
    (_, logs) => this.openAll(logs),
    mostOpened,
    atBurstsEnd,
  );

  constructor(
    private readonly redis: Redis,
    private readonly clock: Clock,
    private readonly ttlSeconds: number,
    /** This process's own hub: fed in memory by whoever closes a log, so Redis does not post to it. Null in a process without readers. */
    private readonly ownHubId: string | null,
  ) {}

  /**
   * True when this call opened it; false when it was open or closed already. Logs of tasks that were stored together are opened in one trip,
   * which is sent at the burst's end.
   */
  open(log: OpenLog): Promise<boolean> {
    return this.opening.add('', null, log);
  }

  private async openAll(logs: readonly OpenLog[]): Promise<boolean[]> {
    const keys = logs.flatMap(({ taskId }) => [runRecordKey(taskId), eventLogKey(taskId)]);
    const reply = await openScript.run(this.redis, keys, logs.flatMap(openArguments));
    if (!Array.isArray(reply)) throw new Error('unexpected reply of open-log.lua');
    return reply.map((opened) => opened === 1);
  }

  /**
   * Appends frames to the logs of tasks that nobody runs yet. Of each it says whether it was written: not when the task waits no more, nor
   * when somebody else has told its readers something in between.
   */
  async tellWaiting(frames: readonly WaitingFrame[]): Promise<boolean[]> {
    if (frames.length === 0) return [];
    const keys = frames.flatMap(({ taskId }) => [runRecordKey(taskId), eventLogKey(taskId)]);
    const args = frames.flatMap(({ taskId, toldBefore, told, frame }) => [
      taskId,
      toldBefore,
      told,
      frame.plain,
      frame.verbose,
    ]);
    const reply = await tellScript.run(this.redis, keys, [hubChannelPrefix, ...args]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of tell-waiting.lua');
    return frames.map((_, place) => Number(reply[place]) > 0);
  }

  /** Keeps open logs that were made to be forgotten (dispatch/start-now.lua). A log that has ended meanwhile keeps its end. */
  async keep(taskIds: readonly string[]): Promise<void> {
    await keepScript.run(
      this.redis,
      taskIds.flatMap((taskId) => [runRecordKey(taskId), eventLogKey(taskId)]),
      [],
    );
  }

  /** Forgets a log of a task that was never accepted: nobody has seen it. */
  async discard(taskId: string): Promise<void> {
    await this.redis.del(runRecordKey(taskId), eventLogKey(taskId));
  }

  /** Forgets the log of a task that has ended, where Redis came back as it was before: open. @param fence `*`: whatever is open */
  async forgetOpen(taskId: string, fence: Fence = '*'): Promise<void> {
    await forgetScript.run(this.redis, [runRecordKey(taskId), eventLogKey(taskId)], [fence]);
  }

  /**
   * Writes the one terminal event.
   * @param frame what follows `id: <n>\n`, see `endTemplate` and `errorTemplate`
   * @param fence close only while this fence holds; `*`: whatever is open
   * @param lastId what the holder of the fence knows to be in the log: one that lacks it is `missing`, and left to be ended as lost
   */
  close(taskId: string, frame: TerminalFrame, fence: Fence = '*', lastId = 0): Promise<CloseOutcome> {
    return this.end(taskId, frame, fence, ['', 0, lastId, lostLogId - 1]);
  }

  /**
   * Writes the one terminal event where Redis lost the log, or came back with an older one; one that is there, open or closed, is kept.
   * Nobody knows how far its readers had come, so the event's id is far above any that was ever given: readers see ids grow.
   * @param task with the newest attempt that its row knows of
   */
  closeLost({ taskId, attempts }: Pick<OpenLog, 'taskId' | 'attempts'>, frame: TerminalFrame): Promise<CloseOutcome> {
    return this.end(taskId, frame, '*', [lostLogId, attempts, 0, 0]);
  }

  private async end(
    taskId: string,
    frame: TerminalFrame,
    fence: Fence,
    lost: readonly (number | '')[],
  ): Promise<CloseOutcome> {
    const { template, rest } = typeof frame === 'string' ? { template: frame, rest: '' } : frame;
    const args = [
      fence,
      this.clock.now(),
      this.ttlSeconds,
      this.ownHubId ?? '',
      hubChannelPrefix,
      taskId,
      template,
      rest,
      ...lost,
    ];
    const reply = await closeScript.run(this.redis, [runRecordKey(taskId), eventLogKey(taskId)], args);
    return closeOutcome(taskId, reply);
  }

  /** Tells every worker that a task it may be running was closed. */
  async announceClosed(taskId: string): Promise<void> {
    await this.redis.publish(closedChannel, taskId);
  }

  /** Chunks from an event id on, at most `count`; with the fence. Null when there is no such log. */
  async read(
    taskId: string,
    fromId: number,
    count: number,
    followAs: string,
  ): Promise<{ fence: Fence; chunks: LogChunk[] } | null> {
    const reply = await followScript.runBuffer(
      this.redis,
      [runRecordKey(taskId), eventLogKey(taskId)],
      [followAs, fromId, count],
    );
    if (!Array.isArray(reply)) throw new Error('unexpected reply of follow-log.lua');
    const fence = String(reply[0]);
    if (fence === '') return null;
    const entries: unknown[] = Array.isArray(reply[1]) ? reply[1] : [];
    return { fence, chunks: entries.map((entry) => chunkOfEntry(taskId, entry)) };
  }

  /** Everything a log holds, in few long chunks; the terminal event is one of its own. Empty when there is no log. */
  async readAll(taskId: string): Promise<LogChunk[]> {
    const reply = await readScript.runBuffer(this.redis, [eventLogKey(taskId)], []);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of read-log.lua');
    return joinedChunks(taskId, reply as Buffer[]);
  }

  /** How many tokens a log holds; 0 without one. */
  async tokens(taskId: string): Promise<number> {
    const [newest] = await this.redis.xrevrange(eventLogKey(taskId), '+', '-', 'COUNT', 1);
    const fields = newest?.[1] ?? [];
    return Number(fields[fields.indexOf('k') + 1] ?? 0);
  }

  /** The fence of a task, null when it has no run record. */
  async fence(taskId: string): Promise<Fence | null> {
    return this.redis.hget(runRecordKey(taskId), 'f');
  }

  /** Notes that the run that goes on now found the KV cache of its session: its end will say so. */
  async markWarm(taskId: string): Promise<void> {
    await this.redis.hset(runRecordKey(taskId), 'warm', '1');
  }

  /** Notes that the engine of an attempt was let go of without having answered to the end. */
  async markStopped(taskId: string, attempt: number): Promise<void> {
    await markStoppedScript.run(this.redis, [runRecordKey(taskId)], [attempt]);
  }

  /** How often a task was begun, and of how many attempts it was noted that their engines were let go of. Null without a run record. */
  async attempts(taskId: string): Promise<{ readonly begun: number; readonly stopped: number } | null> {
    const record = await this.redis.hgetall(runRecordKey(taskId));
    if (record['f'] === undefined) return null;
    return {
      begun: begunBy(Number(record['n'] ?? 0)),
      stopped: Object.keys(record).filter((field) => /^s\d+$/.test(field)).length,
    };
  }

  /** What was noted at the first token of the attempt that gave it; null: there was none. */
  async firstToken(taskId: string): Promise<{ readonly firstTokenMs: number; readonly tokensIn: number } | null> {
    const facts = /^(\d+),(\d+)/.exec((await this.redis.hget(runRecordKey(taskId), 'facts')) ?? '');
    return facts === null ? null : { firstTokenMs: Number(facts[1]), tokensIn: Number(facts[2]) };
  }

  /** How several tasks stand, in one trip. */
  async standings(taskIds: readonly string[]): Promise<Standing[]> {
    if (taskIds.length === 0) return [];
    const reply = await standingsScript.run(this.redis, [], [runRecordPrefix, ...taskIds]);
    if (!Array.isArray(reply)) throw new Error('unexpected reply of standings.lua');
    const texts = reply.map((text) => String(text) || null);
    return taskIds.map((_, place) => {
      const [fence = null, poolId = null, attempt] = texts.slice(3 * place, 3 * place + 3);
      return { fence, poolId, attempt: Number(attempt) };
    });
  }

  /** How many hubs still follow after this one left; -1 when there is nothing left to follow. */
  async unfollow(taskId: string, hubId: string): Promise<number> {
    return Number(await unfollowScript.run(this.redis, [runRecordKey(taskId)], [hubId]));
  }
}

function closeOutcome(taskId: string, reply: unknown): CloseOutcome {
  if (!Array.isArray(reply)) throw new Error('unexpected reply of close-log.lua');
  if (reply[0] === -1) return { kind: 'missing' };
  const [, id, tokensOut] = reply.map(Number);
  if (id === undefined || tokensOut === undefined) throw new Error('unexpected reply of close-log.lua');
  if (reply[0] === 0) return { kind: 'kept', lastId: id, tokensOut, fence: String(reply[3]) };
  const plain = Buffer.from(String(reply[3]), 'utf8');
  const firstTokenMs = Number(reply[6]);
  return {
    kind: 'closed',
    chunk: new LogChunk(taskId, { first: id, last: id, isFinal: true }, plain),
    tokensOut,
    tokensIn: Number(reply[4]),
    decodeTimeMs: Number(reply[5]),
    firstTokenMs: firstTokenMs < 0 ? null : firstTokenMs,
    fenceBefore: String(reply[7]),
  };
}
