import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseFormatError, SseReader } from './sse-reader.js';

/** What a reader hears of these pieces. */
function read(pieces: readonly (Buffer | string)[], maxLineBytes = 1000): string[] {
  const heard: string[] = [];
  const reader = new SseReader((data) => heard.push(data), maxLineBytes);
  for (const piece of pieces) reader.push(Buffer.from(piece));
  return heard;
}

function splitAt(bytes: Buffer, ...places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.toSorted((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

const stream = Buffer.from(
  ': hello\r\nid: 1\r\nevent: x\r\ndata: {"t":"wörld 🌍"}\r\n\r\ndata:first\ndata: second\n\n:\n\nretry: 5\ndata\n\ndata:  two spaces\n\n',
);
const heard = ['{"t":"wörld 🌍"}', 'first\nsecond', '', ' two spaces'];

describe('reading server-sent events', () => {
  it('hears only data, whatever the line ends, comments and other fields', () => {
    expect(read([stream])).toEqual(heard);
  });

  it('passes over a byte order mark, at the beginning only', () => {
    const marked = Buffer.from('\uFEFFdata: first\n\ndata: \uFEFFsecond\n\n');
    for (let at = 0; at <= marked.length; at++) expect(read(splitAt(marked, at))).toEqual(['first', '\uFEFFsecond']);
  });

  it('hears what older llama-servers write where they fail', () => {
    expect(read(['data: 1\n\n', 'error: {"code":500}\n\n'])).toEqual(['1', '{"error": {"code":500}}']);
  });

  it('hears the same wherever the bytes are split, also inside a character or between CR and LF', () => {
    for (let at = 0; at <= stream.length; at++) expect(read(splitAt(stream, at))).toEqual(heard);
    expect(read([...stream].map((byte) => Buffer.of(byte)))).toEqual(heard);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: stream.length })), (places) => {
        expect(read(splitAt(stream, ...places))).toEqual(heard);
      }),
    );
  });

  it('hears nothing of an event that has not ended', () => {
    expect(read(['data: a\n'])).toEqual([]);
    expect(read(['data: a\n', '\n'])).toEqual(['a']);
  });

  it('does not take a longer field name for data', () => {
    expect(read(['database: x\n\ndat: y\n\n'])).toEqual([]);
  });

  it('reads a line of ten megabytes in small pieces at the cost of its length', () => {
    const pieces = Array.from({ length: 655_360 }, () => 'x'.repeat(16));
    expect(read(['data: ', ...pieces, '\n\n'], 2 ** 24)[0]).toHaveLength(10_485_760);
  });

  it('refuses a line over the limit, whole or in pieces, and takes one at the limit', () => {
    expect(read(['data: abcd\n\n'], 10)).toEqual(['abcd']);
    expect(() => read(['data: abcde\n'], 10)).toThrow(SseFormatError);
    expect(() => read(['data: ', 'abc', 'de'], 10)).toThrow(SseFormatError);
  });
});
