import { expect, it } from 'vitest';
import { encodeFrame, encodeMetrics, encodeToken } from './frames.js';
import { LogChunk } from './log-chunk.js';
import { textOfTokens } from './token-text.js';

const chunk = (first: number, frames: readonly string[]): LogChunk =>
  new LogChunk('t', { first, last: first + frames.length - 1, isFinal: false }, Buffer.from(frames.join('')));

it('joins the texts of all tokens, whatever is in them, and nothing else', () => {
  const odd = ['Zoë', ' \u{1F680}', '\r\n\r\n', 'id: 9\nevent: token\ndata: {"t":"no"}\n\n', '\\', '"', '\u2028'];
  const chunks = [
    chunk(1, [encodeFrame(1, 'started', '{}')]),
    chunk(2, [encodeMetrics(2, { phase: 'decoding' }).plain, ...odd.map((text, i) => encodeToken(3 + i, i, text))]),
    chunk(10, [encodeToken(10, odd.length, 'last')]),
  ];
  expect(textOfTokens(chunks)).toBe(`${odd.join('')}last`);
  expect(textOfTokens([])).toBe('');
});
