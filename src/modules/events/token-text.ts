import type { LogChunk } from './log-chunk.js';

/** The text of all tokens in some chunks of a log, joined. */
export function textOfTokens(chunks: readonly LogChunk[]): string {
  return chunks.map(({ plain }) => textOfFrames(plain.toString('utf8'))).join('');
}

const tokenHead = '\nevent: token\ndata: ';

function textOfFrames(frames: string): string {
  let text = '';
  for (let at = frames.indexOf(tokenHead); at >= 0; at = frames.indexOf(tokenHead, at)) {
    const from = at + tokenHead.length;
    at = frames.indexOf('\n\n', from);
    // Written by `encodeToken`.
    text += (JSON.parse(frames.slice(from, at)) as { t: string }).t;
  }
  return text;
}
