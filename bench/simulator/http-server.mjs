import net from 'node:net';

const maxHeadBytes = 65536;

/**
 * The little of HTTP/1.1 that engine clients speak: keep-alive, Content-Length bodies, no pipelining. Node's own server
 * would be the bottleneck at 100,000 frames per second; here an answer is written to the socket as it is.
 * @param {(request: {method: string, path: string, body: string}, socket: net.Socket) => void} onRequest
 */
export function createHttpServer(onRequest) {
  return net.createServer({ noDelay: true }, (socket) => {
    let pending = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      for (let request = takeRequest(); request !== null; request = takeRequest()) onRequest(request, socket);
    });

    function takeRequest() {
      const parsed = parseRequest(pending);
      if (parsed === null) return null;
      if ('refusal' in parsed) {
        sendJson(socket, parsed.refusal, { error: { code: parsed.refusal, message: 'not understood' } });
        socket.end();
        pending = Buffer.alloc(0);
        return null;
      }
      pending = pending.subarray(parsed.length);
      return parsed;
    }
  });
}

/** @returns null while bytes are missing */
function parseRequest(bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return bytes.length > maxHeadBytes ? { refusal: 431 } : null;
  const head = bytes.latin1Slice(0, headEnd);
  const line = /^([A-Z]+) ([^ ?]+)\S* HTTP\/1\.1/.exec(head);
  if (line === null) return { refusal: 400 };
  if (/\r\ntransfer-encoding:/i.test(head)) return { refusal: 411 };
  const bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const length = headEnd + 4 + bodyBytes;
  if (bytes.length < length) return null;
  return { method: line[1], path: line[2], body: bytes.utf8Slice(headEnd + 4, length), length };
}

/** Answers with one JSON body and keeps the connection. */
export function sendJson(socket, status, value) {
  const body = JSON.stringify(value);
  socket.write(
    `HTTP/1.1 ${status} ${status === 200 ? 'OK' : 'Error'}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nKeep-Alive: timeout=60\r\n\r\n${body}`,
  );
}
