import { describe, expect, it } from 'vitest';
import type { ChunkSource, PendingChunk } from './pending-chunk.js';
import { RunLogWriter, type RunLogStart } from './run-log-writer.js';

/** Takes and acknowledges when the test says so. */
class HandAppender {
  readonly queued: ChunkSource[] = [];
  enqueue = (source: ChunkSource): void => void this.queued.push(source);

  take(): PendingChunk | null {
    return this.queued.shift()?.take() ?? null;
  }

  /** Takes what has gathered, and has Redis answer. */
  flush(isTaken = true): PendingChunk | null {
    const chunk = this.take();
    chunk?.writer.acknowledge(isTaken);
    return chunk;
  }
}

function setUp({ hold = false, ...start }: Partial<RunLogStart> & { hold?: boolean } = {}) {
  const appender = new HandAppender();
  const heard: string[] = [];
  const watcher = {
    onFencedOff: () => void heard.push('fenced off'),
    onPause: () => void heard.push('pause'),
    onResume: () => void heard.push('resume'),
  };
  const from = { taskId: 't', attempt: 1, lastId: 1, tokens: 0, ...start };
  return { appender, heard, writer: new RunLogWriter(appender, from, watcher, { hold }) };
}

const idsAndIndexes = (frames: string): [number, number][] =>
  [...frames.matchAll(/^id: (\d+)\nevent: token\ndata: .*"i":(\d+)\}$/gm)].map(([, id, i]) => [Number(id), Number(i)]);

describe('writing the events of a run', () => {
  it('gathers what a tick brings into one chunk that says where it begins and ends', () => {
    const { appender, writer } = setUp();
    writer.token('a');
    writer.token('b');
    expect(appender.queued).toHaveLength(1);
    const chunk = appender.flush();
    expect(chunk).toMatchObject({ first: 2, last: 3, tokens: 2, verbose: '', facts: '' });
    expect(idsAndIndexes(chunk?.plain ?? '')).toEqual([
      [2, 0],
      [3, 1],
    ]);
    expect(appender.flush()).toBeNull();
  });

  it('goes on counting where the log and an earlier attempt ended', () => {
    const { appender, writer } = setUp({ attempt: 3, lastId: 10, tokens: 4 });
    writer.token('a');
    writer.metrics({ phase: 'decoding' });
    writer.token('b');
    const chunk = appender.flush();
    expect(writer.fence).toBe('r3');
    expect(chunk).toMatchObject({ first: 11, last: 13, tokens: 6 });
    expect(idsAndIndexes(chunk?.plain ?? '')).toEqual([
      [11, 4],
      [13, 5],
    ]);
  });

  it('writes narration for verbose readers only', () => {
    const { appender, writer } = setUp();
    writer.token('a');
    writer.metrics({ phase: 'decoding', human: 'It began.' });
    writer.token('b');
    const { plain = '', verbose = '' } = appender.flush() ?? {};
    expect(plain).not.toContain('It began.');
    expect(verbose.replace(',"human":"It began."', '')).toBe(plain);
    writer.token('c');
    expect(appender.flush()?.verbose).toBe('');
  });

  it('hands what is known at the first token over once', () => {
    const { appender, writer } = setUp();
    writer.noteFirstToken(12, 34, 'origin');
    writer.token('a');
    expect(appender.flush()?.facts).toBe('12,34,origin');
    writer.token('b');
    expect(appender.flush()?.facts).toBe('');
  });

  it('holds everything back until it is released', () => {
    const { appender, writer } = setUp({ hold: true });
    writer.token('a');
    expect(appender.queued).toEqual([]);
    writer.release();
    expect(appender.flush()).toMatchObject({ first: 2, last: 2 });
  });
});

describe('waiting for what was written', () => {
  it('is shown once nothing is held back, also where nothing was written', async () => {
    const { writer } = setUp({ hold: true });
    const heard: string[] = [];
    const shown = writer.shown().finally(() => heard.push('shown'));
    await new Promise(setImmediate);
    expect(heard).toEqual([]);
    writer.release();
    expect(await shown).toBe(true);
    const dropped = setUp({ hold: true }).writer;
    const never = dropped.shown();
    dropped.abandon();
    expect(await never).toBe(false);
  });

  it('lasts until Redis has all of it', async () => {
    const { appender, writer } = setUp();
    expect(await writer.flushed()).toBe(true);
    writer.token('a');
    const first = appender.take();
    writer.token('b');
    let isFlushed = false;
    const flushed = writer.flushed().then((result) => {
      isFlushed = true;
      return result;
    });
    first?.writer.acknowledge(true);
    await Promise.resolve();
    expect(isFlushed).toBe(false);
    appender.flush();
    expect(await flushed).toBe(true);
  });

  it('ends when nothing will come of it', async () => {
    const { writer } = setUp();
    writer.token('a');
    const flushed = writer.flushed();
    writer.abandon();
    expect(await flushed).toBe(false);
  });
});

describe('a run whose fence has fallen', () => {
  it('hears of it once and writes nothing more', async () => {
    const { appender, heard, writer } = setUp();
    writer.token('a');
    const chunk = appender.take();
    writer.token('b');
    const flushed = writer.flushed();
    chunk?.writer.acknowledge(false);
    expect(heard).toEqual(['fenced off']);
    expect(await flushed).toBe(false);
    writer.token('c');
    writer.metrics({ phase: 'decoding' });
    expect(appender.flush(false)).toBeNull();
    expect(appender.queued).toEqual([]);
    expect(heard).toEqual(['fenced off']);
  });

  it('drops what was held when it is abandoned', () => {
    const { appender, writer } = setUp({ hold: true });
    writer.token('a');
    writer.abandon();
    writer.release();
    expect(appender.flush()).toBeNull();
  });
});

describe('an engine that is faster than Redis', () => {
  const large = 'x'.repeat(1024 * 1024);

  it('is paused above four mebibytes, and goes on when they are written', () => {
    const { appender, heard, writer } = setUp();
    for (let n = 0; n < 4; n++) writer.token(large);
    expect(heard).toEqual(['pause']);
    writer.token(large);
    expect(heard).toEqual(['pause']);
    appender.flush();
    expect(heard).toEqual(['pause', 'resume']);
  });

  it('stays paused while more than half of that waits', () => {
    const { appender, heard, writer } = setUp();
    for (let n = 0; n < 5; n++) writer.token(large);
    const chunk = appender.take();
    for (let n = 0; n < 3; n++) writer.token(large);
    chunk?.writer.acknowledge(true);
    expect(heard).toEqual(['pause']);
    appender.flush();
    expect(heard).toEqual(['pause', 'resume']);
  });
});
