import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { LogChunk } from './log-chunk.js';
import { SseConnection } from './sse-connection.js';

const frames = [1, 2, 3].map((id) => Buffer.from(`id: ${id}\nevent: token\ndata: {"t":"x","i":${id - 1}}\n\n`));
const chunk = new LogChunk('task', { first: 1, last: 3, isFinal: true }, Buffer.concat(frames));

let server: Server;
afterEach(() => server.close());

/** What a client gets of a stream of one chunk whose events it wants from `from` on. */
async function answerTo(request: string, from: number): Promise<{ head: string; body: string }> {
  server = createServer({ requireHostHeader: false }, (_, response) => {
    const connection = new SseConnection(response, { verbose: false, bufferBytes: 1024, onGone: () => undefined }, {});
    connection.write(chunk, from);
    connection.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () => socket.write(request));
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  const [head = '', ...rest] = text.split('\r\n\r\n');
  return { head, body: rest.join('\r\n\r\n') };
}

describe('SseConnection', () => {
  it.each([1, 2])('sends an HTTP/1.1 client chunks, from event %s on', async (from) => {
    const { head, body } = await answerTo('GET / HTTP/1.1\r\nConnection: close\r\n\r\n', from);
    expect(head).toContain('Transfer-Encoding: chunked');
    const wanted = String(Buffer.concat(frames.slice(from - 1)));
    expect(body).toBe(`d\r\nretry: 1000\n\n\r\n${wanted.length.toString(16)}\r\n${wanted}\r\n0\r\n\r\n`);
  });

  it.each(['', 'Connection: keep-alive\r\n'])(
    'sends an HTTP/1.0 client no chunks, which it does not know: %j',
    async (more) => {
      for (const from of [1, 2]) {
        const { head, body } = await answerTo(`GET / HTTP/1.0\r\n${more}\r\n`, from);
        expect(head).not.toMatch(/transfer-encoding/i);
        expect(head).toContain('Connection: close');
        expect(body).toBe(`retry: 1000\n\n${String(Buffer.concat(frames.slice(from - 1)))}`);
        server.close();
      }
    },
  );
});
