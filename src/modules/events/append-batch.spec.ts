import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppendBatch } from './append-batch.js';
import { encodeToken } from './frames.js';
import { httpChunk } from './log-chunk.js';
import type { PendingChunk } from './pending-chunk.js';

const someSource = fc
  .record({
    taskId: fc.uuid(),
    attempt: fc.integer({ min: 1, max: 99 }),
    first: fc.integer({ min: 1, max: 1_000_000 }),
    texts: fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }),
    verbose: fc.option(fc.string({ unit: 'binary', minLength: 1 }), { nil: '' }),
    facts: fc.constantFrom('', '12,34'),
  })
  .map(({ taskId, attempt, first, texts, verbose, facts }): PendingChunk => {
    const plain = texts.map((text, index) => encodeToken(first + index, index, text)).join('');
    const writer = { taskId, fence: `r${attempt}`, takenOver: null, take: () => null, acknowledge: () => undefined };
    return { writer, first, last: first + texts.length - 1, tokens: texts.length, plain, verbose, facts };
  });

/** What append-run.lua reads for each task: its pattern, in our words. */
function readWords(words: string): readonly (readonly string[])[] {
  const pattern = /(\S+) (\S+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\S+) (\d)/g;
  return [...words.matchAll(pattern)].map((match) => match.slice(1));
}

describe('AppendBatch', () => {
  it('says where the frames of each task lie, in any language', () => {
    fc.assert(
      fc.property(fc.array(someSource, { maxLength: 6 }), (sources) => {
        const { bytes, words } = new AppendBatch(sources, 0);
        const cut = (at = '0', length = '0'): string =>
          bytes.subarray(Number(at), Number(at) + Number(length)).toString('utf8');
        const back = readWords(words).map(([id, fence, first, last, tokens, at, length, verboseLength, facts]) => [
          [id, fence, first, last, tokens, facts],
          cut(at, length),
          cut(String(Number(at) + Number(length) + 2), verboseLength),
        ]);
        // As they are in UTF-8, which has no halves of surrogate pairs.
        const stored = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');
        expect(back).toEqual(
          sources.map(({ writer, first, last, tokens, facts, plain, verbose }) => [
            [writer.taskId, writer.fence, String(first), String(last), String(tokens), facts === '' ? '-' : facts],
            stored(plain),
            stored(verbose),
          ]),
        );
      }),
    );
  });

  it('gives readers what was taken, ready to be sent', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(someSource, fc.boolean()), { maxLength: 6 }), (pairs) => {
        const refused = new Set(pairs.flatMap(([, isTaken], place) => (isTaken ? [] : [place])));
        const given = new AppendBatch(
          pairs.map(([source]) => source),
          0,
        ).delivered(refused);
        const taken = pairs.filter(([, isTaken]) => isTaken).map(([source]) => source);
        expect(given.map(({ taskId, first, last }) => [taskId, first, last])).toEqual(
          taken.map(({ writer, first, last }) => [writer.taskId, first, last]),
        );
        for (const [place, chunk] of given.entries()) {
          const source = taken[place];
          const plain = Buffer.from(source?.plain ?? '', 'utf8');
          expect(chunk.plain.equals(plain)).toBe(true);
          expect(chunk.httpChunk(false).equals(httpChunk(plain))).toBe(true);
          const told = source?.verbose === '' ? plain : Buffer.from(source?.verbose ?? '', 'utf8');
          expect(chunk.httpChunk(true).equals(httpChunk(told))).toBe(true);
        }
      }),
    );
  });
});
