import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlainToken } from './plain-token.js';

const rest = '"id_slot":0,"tokens_predicted":2,"tokens_evaluated":5}';
const eventOf = (text: string, tokens = '12,345'): string =>
  `data: {"index":0,"content":${JSON.stringify(text)},"tokens":[${tokens}],"stop":false,${rest}\n\n`;

/** The text read, and where the next event begins. */
function read(event: string | Buffer, from = 0): readonly [string, number] {
  const token = new PlainToken();
  const next = token.read(Buffer.from(event), from);
  return [token.text, next];
}

describe('the event of a token, read from its bytes', () => {
  it('gives the text that JSON gives, or leaves the event to others', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.nat({ max: 9 }), (text, before) => {
        const event = eventOf(text);
        const bytes = Buffer.concat([Buffer.alloc(before, 'x'), Buffer.from(event), Buffer.from('data: ')]);
        const stored = Buffer.from(text, 'utf8').toString('utf8');
        const isPlain = JSON.stringify(text) === `"${text}"`;
        expect(read(bytes, before)).toEqual(isPlain ? [stored, before + Buffer.byteLength(event)] : ['', -1]);
      }),
    );
  });

  it('takes tokens that have no number, one, or several', () => {
    for (const tokens of ['', '7', '7,8,9']) expect(read(eventOf('a', tokens))[0]).toBe('a');
  });

  it('leaves events that say more than a text, are spelt otherwise, or have not all come', () => {
    const event = eventOf('some');
    const others = [
      event.replace('false', 'true'),
      event.replace('"some"', '""'),
      event.replace('data: ', 'data:'),
      event.replace('"index":0', '"index": 0'),
      event.replace('\n\n', '\ndata: more\n\n'),
      event.replace(':false', ':false}'),
      `id: 1\n${event}`,
    ];
    for (const other of others) expect(read(other)).toEqual(['', -1]);
    for (let length = 0; length < event.length; length++) expect(read(event.slice(0, length))).toEqual(['', -1]);
  });
});
