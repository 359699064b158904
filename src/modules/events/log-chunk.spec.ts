import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMetrics, encodeToken } from './frames.js';
import { chunkOfEntry, decodeChunks, framesFrom, httpChunk, LogChunk } from './log-chunk.js';

const someText = fc.string({ unit: 'binary' });
const someChunk = fc
  .record({
    taskId: fc.uuid(),
    first: fc.integer({ min: 1, max: 2_000_000_000 }),
    texts: fc.array(someText, { minLength: 1, maxLength: 4 }),
    human: fc.option(someText),
    isFinal: fc.boolean(),
  })
  .map(({ taskId, first, texts, human, isFinal }) => {
    const tokens = texts.map((text, index) => encodeToken(first + index, index, text));
    const last = first + tokens.length;
    const metrics = encodeMetrics(last, { phase: 'decoding', ...(human !== null && { human }) });
    const plain = Buffer.from(tokens.join('') + metrics.plain, 'utf8');
    const verbose = human === null ? plain : Buffer.from(tokens.join('') + metrics.verbose, 'utf8');
    return new LogChunk(taskId, { first, last, isFinal }, plain, verbose);
  });

/** Writes chunks as the scripts do (append-run.lua): the inverse of `decodeChunks`. */
function encodeChunks(chunks: readonly LogChunk[]): Buffer {
  const parts = chunks.flatMap(({ taskId, first, last, isFinal, plain, verbose }) => {
    const told = verbose === plain ? Buffer.alloc(0) : verbose;
    const numbers = [first, last, plain.length, told.length].map((n) => String(n).padStart(10, '0')).join('');
    return [Buffer.from(taskId + (isFinal ? '1' : '0') + numbers, 'latin1'), plain, told];
  });
  return Buffer.concat(parts);
}

/** What can be seen of a chunk. */
function shown({ taskId, first, last, isFinal, plain, verbose }: LogChunk): unknown {
  return { taskId, first, last, isFinal, plain: plain.toString('hex'), verbose: verbose.toString('hex') };
}

describe('chunks on the wire', () => {
  it('come back as they were sent, several in one message, in any language, plain and verbose', () => {
    fc.assert(
      fc.property(fc.array(someChunk, { maxLength: 5 }), (chunks) => {
        const back = decodeChunks(encodeChunks(chunks));
        expect(back.map(shown)).toEqual(chunks.map(shown));
        expect(back.map(({ plain, verbose }) => plain === verbose)).toEqual(
          chunks.map(({ plain, verbose }) => plain === verbose),
        );
      }),
    );
  });

  it('are laid out as the scripts write them', () => {
    const plain = Buffer.from('ä', 'utf8');
    const chunk = new LogChunk('a'.repeat(36), { first: 3, last: 4, isFinal: true }, plain);
    expect(encodeChunks([chunk]).toString('utf8')).toBe(
      `${'a'.repeat(36)}1${'0000000003'}${'0000000004'}${'0000000002'}${'0000000000'}ä`,
    );
  });
});

describe('chunks in the Redis stream', () => {
  const entry = (id: string, fields: Readonly<Record<string, string>>): unknown => [
    Buffer.from(id),
    Object.entries(fields).flatMap((pair) => pair.map((text) => Buffer.from(text))),
  ];

  it('have the id of their last event', () => {
    expect(shown(chunkOfEntry('t', entry('7-0', { s: '5', k: '2', d: 'abc' })))).toEqual(
      shown(new LogChunk('t', { first: 5, last: 7, isFinal: false }, Buffer.from('abc'))),
    );
  });

  it('are final when marked, and verbose when they say more', () => {
    const chunk = chunkOfEntry('t', entry('7-0', { s: '7', x: '1', d: 'a', v: 'ab' }));
    expect(chunk.isFinal).toBe(true);
    expect(chunk.verbose.toString()).toBe('ab');
  });

  it('are refused when they are none of ours', () => {
    for (const odd of [null, 'text', [], ['7-0', []], [Buffer.from('7-0'), null]])
      expect(() => chunkOfEntry('t', odd)).toThrow('unreadable entry');
  });
});

describe('the rest of a chunk', () => {
  it('begins at the event that is asked for', () => {
    fc.assert(
      fc.property(someChunk, fc.nat({ max: 6 }), fc.boolean(), (chunk, offset, verbose) => {
        const frames = (verbose ? chunk.verbose : chunk.plain).toString('utf8').split(/(?<=\n\n)/);
        const rest = framesFrom(chunk, chunk.first + offset, verbose);
        expect(rest.toString('utf8')).toBe(frames.slice(offset).join(''));
      }),
    );
  });

  it('is the whole when it begins before', () => {
    const chunk = new LogChunk('t', { first: 5, last: 5, isFinal: false }, Buffer.from(encodeToken(5, 0, 'a')));
    expect(framesFrom(chunk, 1, false)).toBe(chunk.plain);
  });
});

describe('chunks of an HTTP body', () => {
  it('tell their length in hexadecimal', () => {
    expect(httpChunk(Buffer.from('ä'.repeat(8))).toString('utf8')).toBe(`10\r\n${'ä'.repeat(8)}\r\n`);
  });

  it('are made once for all readers who see the same', () => {
    const same = new LogChunk('t', { first: 1, last: 1, isFinal: false }, Buffer.from('a'));
    expect(same.httpChunk(true)).toBe(same.httpChunk(false));
    const differing = new LogChunk('t', { first: 1, last: 1, isFinal: false }, Buffer.from('a'), Buffer.from('ab'));
    expect(differing.httpChunk(true).toString()).toBe('2\r\nab\r\n');
    expect(differing.httpChunk(true)).toBe(differing.httpChunk(true));
    expect(differing.httpChunk(false).toString()).toBe('1\r\na\r\n');
  });
});
