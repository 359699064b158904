import fc from 'fast-check';
import { setImmediate as tick } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Follower, type FollowerSink } from './follower.js';
import { encodeToken } from './frames.js';
import { framesFrom, LogChunk } from './log-chunk.js';

const taskId = 'a0000000-0000-4000-8000-000000000000';

/** Chunks of these many events each, from id 1 on; the last one is final. */
function chunksOf(sizes: readonly number[]): LogChunk[] {
  let next = 1;
  return sizes.map((size, place) => {
    const ids = Array.from({ length: size }, (_, index) => next + index);
    next += size;
    const frames = Buffer.from(ids.map((id) => encodeToken(id, id, `tökén ${id}`)).join(''), 'utf8');
    const span = { first: ids[0]!, last: ids.at(-1)!, isFinal: place === sizes.length - 1 };
    return new LogChunk(taskId, span, frames);
  });
}

type Found = { fence: string; chunks: LogChunk[] } | null;

interface PendingRead {
  readonly fromId: number;
  readonly count: number;
  readonly resolve: (found: Found) => void;
  readonly reject: (error: Error) => void;
}

/** Redis and the kept logs as the follower sees them. Reads are answered when the test says so, with what lies there at that moment. */
class HandLog {
  chunks: LogChunk[] | null = [];
  archived: LogChunk[] | 'open' | 'gone' = 'open';
  readonly reads: PendingRead[] = [];

  readonly read = (_: string, fromId: number, count: number): Promise<Found> =>
    new Promise((resolve, reject) => this.reads.push({ fromId, count, resolve, reject }));
  readonly find = (): Promise<LogChunk[] | 'open' | 'gone'> => Promise.resolve(this.archived);

  /** Answers the oldest read. */
  serve(): void {
    const read = this.reads.shift();
    if (read === undefined) return;
    if (this.chunks === null) return read.resolve(null);
    const fence = this.chunks.at(-1)?.isFinal === true ? 'x' : 'r1';
    read.resolve({ fence, chunks: this.chunks.filter(({ last }) => last >= read.fromId).slice(0, read.count) });
  }
}

/** A client that writes down which events it got; a slow one takes more only after `drain`. */
class NotingSink implements FollowerSink {
  readonly ids: number[] = [];
  ends = 0;
  isSlow = false;
  private onDrained: (() => void) | null = null;

  write(chunk: LogChunk, from: number): void {
    const frames = framesFrom(chunk, from, false).toString('utf8');
    for (const [, id] of frames.matchAll(/^id: (\d+)$/gm)) this.ids.push(Number(id));
  }

  drained(): Promise<void> | null {
    if (!this.isSlow) return null;
    return new Promise((resolve) => {
      this.onDrained = resolve;
    });
  }

  drain(): void {
    this.onDrained?.();
    this.onDrained = null;
  }

  end(): void {
    this.ends += 1;
  }
}

function setUp(afterId = 0) {
  const log = new HandLog();
  const sink = new NotingSink();
  const left = { times: 0 };
  const options = { afterId, cancelOnLeave: false };
  const follower = new Follower(taskId, options, sink, { log, ended: log, hubId: 'h' }, () => {
    left.times += 1;
  });
  return { log, sink, left, follower };
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);

afterEach(() => {
  vi.useRealTimers();
});

describe('following a task', () => {
  it('reads what the log holds, then takes what comes', async () => {
    const { log, sink, follower, left } = setUp();
    const chunks = chunksOf([1, 2, 1]);
    log.chunks = chunks.slice(0, 1);
    follower.begin();
    log.serve();
    await tick();
    follower.receive(chunks[1]!);
    follower.receive(chunks[2]!);
    expect(sink).toMatchObject({ ids: [1, 2, 3, 4], ends: 1 });
    expect(follower.isDone).toBe(true);
    expect(left.times).toBe(1);
    expect(log.reads).toEqual([]);
  });

  it('needs no read when the log was opened for it', () => {
    const { log, sink, follower } = setUp();
    const [started, ended] = chunksOf([1, 3]);
    follower.beginLive(started!);
    follower.receive(ended!);
    expect(sink).toMatchObject({ ids: [1, 2, 3, 4], ends: 1 });
    expect(log.reads).toEqual([]);
  });

  it('keeps what comes during a read for afterwards, and shows nothing twice', async () => {
    const { log, sink, follower } = setUp();
    const chunks = chunksOf([2, 2, 2]);
    log.chunks = chunks.slice(0, 2);
    follower.begin();
    follower.receive(chunks[1]!);
    follower.receive(chunks[2]!);
    log.serve();
    await tick();
    expect(sink).toMatchObject({ ids: [1, 2, 3, 4, 5, 6], ends: 1 });
  });

  it('reads from the log what went unheard', async () => {
    const { log, sink, follower } = setUp();
    const chunks = chunksOf([1, 2, 2]);
    follower.beginLive(chunks[0]!);
    log.chunks = chunks;
    follower.receive(chunks[2]!);
    expect(sink.ids).toEqual([1]);
    expect(log.reads).toMatchObject([{ fromId: 2 }]);
    log.serve();
    await tick();
    expect(sink).toMatchObject({ ids: [1, 2, 3, 4, 5], ends: 1 });
  });

  it('looks into the log when it has heard nothing for a while', async () => {
    const { log, sink, follower } = setUp();
    const chunks = chunksOf([1, 1]);
    follower.beginLive(chunks[0]!);
    log.chunks = chunks;
    follower.checkQuiet();
    expect(log.reads).toEqual([]);
    follower.checkQuiet();
    log.serve();
    await tick();
    expect(sink).toMatchObject({ ids: [1, 2], ends: 1 });
  });

  it('resumes inside a chunk, and at the end', async () => {
    const inside = setUp(2);
    const chunks = chunksOf([1, 3, 1]);
    inside.log.chunks = chunks;
    inside.follower.begin();
    inside.log.serve();
    await tick();
    expect(inside.sink).toMatchObject({ ids: [3, 4, 5], ends: 1 });
    const atEnd = setUp(5);
    atEnd.log.chunks = chunks;
    atEnd.follower.begin();
    atEnd.log.serve();
    await tick();
    expect(atEnd.sink).toMatchObject({ ids: [], ends: 1 });
  });

  it('reads a long log in pieces', async () => {
    const { log, sink, follower } = setUp();
    log.chunks = chunksOf(Array.from({ length: 1200 }, () => 1));
    follower.begin();
    for (let reads = 0; reads < 3; reads++) {
      log.serve();
      await tick();
    }
    expect(sink).toMatchObject({ ids: range(1, 1200), ends: 1 });
  });

  it('reads once more when more came during a read than is kept aside', async () => {
    const { log, sink, follower } = setUp();
    const chunks = chunksOf(Array.from({ length: 1500 }, () => 1));
    log.chunks = chunks.slice(0, 10);
    follower.begin();
    for (const chunk of chunks.slice(10)) follower.receive(chunk);
    log.serve();
    await tick();
    log.chunks = chunks;
    while (log.reads.length > 0) {
      log.serve();
      await tick();
    }
    expect(sink).toMatchObject({ ids: range(1, 1500), ends: 1 });
  });

  it('takes what was kept where the log has expired', async () => {
    const { log, sink, follower } = setUp(3);
    log.chunks = null;
    log.archived = chunksOf([1, 1, 2, 1]);
    follower.begin();
    log.serve();
    await tick();
    expect(sink).toMatchObject({ ids: [4, 5], ends: 1 });
  });

  it('ends where the events of an ended task are kept nowhere any more', async () => {
    const { log, sink, left, follower } = setUp();
    log.chunks = null;
    log.archived = 'gone';
    follower.begin();
    log.serve();
    await tick();
    expect([sink.ids, sink.ends, left.times]).toEqual([[], 1, 1]);
  });

  it('waits where there is no log and the task has not ended, and goes on when the log is back', async () => {
    const { log, sink, follower } = setUp();
    log.chunks = null;
    follower.begin();
    log.serve();
    await tick();
    expect(sink.ends).toBe(0);
    log.chunks = chunksOf([1, 1]);
    follower.catchUp();
    log.serve();
    await tick();
    expect(sink).toMatchObject({ ids: [1, 2], ends: 1 });
  });

  it('tries again after a moment when the log cannot be read', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const { log, sink, follower } = setUp();
    log.chunks = chunksOf([1]);
    follower.begin();
    log.reads.shift()?.reject(new Error('Redis is away'));
    await tick();
    expect(log.reads).toEqual([]);
    vi.advanceTimersByTime(1000);
    log.serve();
    await tick();
    expect(sink).toMatchObject({ ids: [1], ends: 1 });
  });

  it('shows nothing to a reader that has left', async () => {
    const { log, sink, follower, left } = setUp();
    log.chunks = chunksOf([1, 1]);
    follower.begin();
    follower.leave();
    follower.leave();
    log.serve();
    await tick();
    follower.receive(log.chunks[1]!);
    expect(sink).toMatchObject({ ids: [], ends: 0 });
    expect(follower.isDone).toBe(false);
    expect(left.times).toBe(1);
  });
});

describe('waiting until a reader has been handed an event', () => {
  async function isSettled(promise: Promise<unknown>): Promise<boolean> {
    return Promise.race([promise.then(() => true), tick(false)]);
  }

  it('reads the log at once, and lasts until the event was written', async () => {
    const { log, follower } = setUp();
    const chunks = chunksOf([1, 1]);
    follower.beginLive(chunks[0]!);
    expect(await isSettled(follower.reached(1))).toBe(true);
    const reached = follower.reached(2);
    expect(await isSettled(reached)).toBe(false);
    log.chunks = chunks;
    log.serve();
    expect(await isSettled(reached)).toBe(true);
  });

  it('does not wait for a reader that leaves or cannot keep up', async () => {
    const leaving = setUp();
    leaving.follower.begin();
    const whenLeft = leaving.follower.reached(5);
    leaving.follower.leave();
    expect(await isSettled(whenLeft)).toBe(true);
    const slow = setUp();
    slow.sink.isSlow = true;
    slow.log.chunks = chunksOf([1, 1]);
    slow.follower.begin();
    const whenBehind = slow.follower.reached(2);
    slow.log.serve();
    expect(await isSettled(whenBehind)).toBe(true);
    expect(await isSettled(slow.follower.reached(2))).toBe(true);
    expect(slow.sink.ids).toEqual([1]);
    slow.sink.isSlow = false;
    slow.sink.drain();
    await tick();
    expect(slow.sink).toMatchObject({ ids: [1, 2], ends: 1 });
  });
});

describe('whatever happens between log, messages and client', () => {
  const steps = ['append', 'deliver', 'lose', 'repeat', 'serve', 'sweep', 'catchUp', 'slow', 'drain'] as const;

  /** Plays the steps, then lets everything that is still on its way arrive. */
  async function play(sizes: readonly number[], afterId: number, script: readonly (typeof steps)[number][]) {
    const { log, sink, follower, left } = setUp(afterId);
    const chunks = chunksOf(sizes);
    const stored: LogChunk[] = [];
    const messages: LogChunk[] = [];
    let latest: LogChunk | undefined;
    log.chunks = stored;
    const acts = {
      append: () => {
        const chunk = chunks[stored.length];
        if (chunk === undefined) return;
        messages.push(chunk);
        stored.push(chunk);
      },
      deliver: () => {
        latest = messages.shift() ?? latest;
        if (latest !== undefined) follower.receive(latest);
      },
      lose: () => void messages.shift(),
      repeat: () => void (latest !== undefined && follower.receive(latest)),
      serve: () => log.serve(),
      sweep: () => follower.checkQuiet(),
      catchUp: () => follower.catchUp(),
      slow: () => {
        sink.isSlow = !sink.isSlow;
      },
      drain: () => sink.drain(),
    };
    follower.begin();
    for (const step of script) {
      acts[step]();
      await tick();
    }
    sink.isSlow = false;
    for (let round = 0; round < 4 * chunks.length + 8 && sink.ends === 0; round++) {
      for (const step of ['append', 'drain', 'serve', 'catchUp'] as const) acts[step]();
      await tick();
    }
    return { sink, left, lastId: chunks.at(-1)!.last };
  }

  it('a reader sees every event after its start once, in order, and one end', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });
    const script = fc.array(fc.constantFrom(...steps), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat({ max: 20 }), script, async (given, afterId, acts) => {
        const { sink, left, lastId } = await play(given, afterId, acts);
        expect(sink.ids).toEqual(range(afterId + 1, lastId));
        expect(sink.ends).toBe(1);
        expect(left.times).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
