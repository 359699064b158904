import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResponseFormatError, ResponseReader } from './response-reader.js';

interface Heard {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Null: not complete. */
  mayReuse: boolean | null;
  isWhole: boolean;
}

/** Reads a response in the given pieces, each in a buffer that is spoiled afterwards, as the next read would. */
function read(pieces: readonly Buffer[]): Heard {
  const heard: Heard = { status: 0, headers: {}, body: '', mayReuse: null, isWhole: false };
  const reader = new ResponseReader({
    onHead: (status, headers) => Object.assign(heard, { status, headers: Object.fromEntries(headers) }),
    onBody: (bytes) => (heard.body += bytes.toString('latin1')),
  });
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    reader.push(lent);
    lent.fill(0);
  }
  if (reader.isComplete) heard.mayReuse = reader.mayReuse;
  heard.isWhole = reader.isComplete || reader.finish();
  return heard;
}

const whole = (text: string): Heard => read([Buffer.from(text, 'latin1')]);

function splitAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  return places.slice(1).map((end, n) => bytes.subarray(places[n], end));
}

const chunked = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('ResponseReader', () => {
  it('reads the same however the bytes are split', () => {
    const chunks = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 300 }), { maxLength: 12 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(5000), { maxLength: 40 }), fc.boolean(), (bodies, cuts, hasExtras) => {
        const extension = hasExtras ? ';name="value"' : '';
        const trailer = hasExtras ? 'X-Sum: 1\r\nX-More: 2\r\n' : '';
        const interim = hasExtras ? 'HTTP/1.1 100 Continue\r\n\r\n' : '';
        const body = bodies.map((text) => `${text.length.toString(16)}${extension}\r\n${text}\r\n`).join('');
        const bytes = Buffer.from(`${interim}${chunked}${body}0\r\n${trailer}\r\n`, 'latin1');
        const heard = read(splitAt(bytes, cuts));
        expect(heard).toMatchObject({ status: 200, body: bodies.join(''), mayReuse: true, isWhole: true });
      }),
      { numRuns: 500 },
    );
  });

  it('reads byte by byte', () => {
    const bytes = Buffer.from(`${chunked}5\r\nhello\r\nA \r\n0123456789\r\n0\r\n\r\n`, 'latin1');
    const heard = read([...bytes].map((byte) => Buffer.from([byte])));
    expect(heard).toMatchObject({ body: 'hello0123456789', mayReuse: true });
  });

  it('counts a body by its length, and knows one that breaks off', () => {
    const head = 'HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\n';
    expect(whole(`${head}short`)).toMatchObject({ status: 404, body: 'short', mayReuse: true });
    expect(whole(`${head}sho`)).toMatchObject({ body: 'sho', mayReuse: null, isWhole: false });
    expect(whole(`${chunked}5\r\nhel`)).toMatchObject({ body: 'hel', isWhole: false });
    expect(whole('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')).toMatchObject({ body: '', mayReuse: true });
    expect(whole('HTTP/1.1 204 No Content\r\n\r\n')).toMatchObject({ status: 204, mayReuse: true });
  });

  it('takes a body without a length to the end of the connection', () => {
    expect(whole('HTTP/1.0 200 OK\r\n\r\nall of it')).toMatchObject({ body: 'all of it', isWhole: true });
  });

  it('does not use a connection again that the server closes', () => {
    expect(whole('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx').mayReuse).toBe(false);
    expect(whole('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx').mayReuse).toBe(false);
    expect(whole('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK').mayReuse).toBe(false);
  });

  it.each([
    ['another protocol, at once', 'SSH-2.0-OpenSSH\r\n'],
    ['a record of TLS', '\x15\x03\x01'],
    ['a later version', 'HTTP/2'],
    ['a transfer coding we lack', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n'],
    ['a chunk without a size', `${chunked}\r\nhello\r\n`],
    ['a size that is no number', `${chunked}5x\r\nhello\r\n`],
    ['a size beyond counting', `${chunked}ffffffffffffff\r\n`],
    ['a chunk longer than its size', `${chunked}5\r\nhello!\r\n`],
    ['an endless head', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
    ['an endless line of a chunk', `${chunked}5;${'x'.repeat(70_000)}`],
    ['an endless trailer', `${chunked}0\r\n${'X: x\r\n'.repeat(20_000)}`],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('refuses %s', (_, text) => {
    expect(() => whole(text)).toThrow(ResponseFormatError);
  });
});
