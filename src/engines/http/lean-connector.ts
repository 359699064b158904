import { connect, type Socket } from 'node:net';
import { buildConnector } from 'undici';

/** As large as what Node reads at once. Shared: whoever is handed a part of it uses it before the next read, or copies it. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Connects undici to engines by sockets that read into one shared buffer and hand it over at once. Node's own way allocates 64 KiB for each
 * read and takes it through a stream's buffer and another turn of the event loop: a third of what a token costs. What is read must be
 * used before the call returns. https goes the usual way.
 *
 * @param connectMs longest wait for a connection
 */
export function leanConnector(connectMs: number): buildConnector.connector {
  const usual = buildConnector({ timeout: connectMs, allowH2: false });
  return (options, callback) => {
    if (options.protocol !== 'http:') {
      usual(options, callback);
      return;
    }
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
    const socket = leanSocket(host, Number(options.port === '' ? 80 : options.port));
    const settle = (error: Error | null): void => {
      clearTimeout(timer);
      socket.off('connect', onConnect).off('error', onError);
      if (error === null) callback(null, socket);
      else callback(error, null);
    };
    const onConnect = (): void => settle(null);
    const onError = (error: Error): void => settle(error);
    const timer = setTimeout(() => {
      settle(Object.assign(new Error('connecting took too long'), { code: 'UND_ERR_CONNECT_TIMEOUT' }));
      socket.destroy();
    }, connectMs);
    socket.setNoDelay(true).once('connect', onConnect).once('error', onError);
  };
}

/** A socket whose `read()` gives what has just come in, from the shared buffer. */
function leanSocket(host: string, port: number): Socket {
  /** Just read, and not taken yet; a copy once the reader has left it. */
  let fresh: Buffer | null = null;
  const socket: Socket = connect({
    host,
    port,
    onread: {
      buffer: readBuffer,
      callback: (length: number) => {
        fresh = readBuffer.subarray(0, length);
        socket.emit('readable');
        if (fresh === null) return true;
        // The reader is pausing: the buffer is needed by others, so it gets a copy, and the socket reads no more until that is taken.
        fresh = Buffer.from(fresh);
        return false;
      },
    },
  });
  const usualRead = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    if (fresh === null || size !== undefined) return usualRead(size);
    const taken = fresh;
    fresh = null;
    // A copy: reading had stopped for it.
    if (taken.buffer !== readBuffer.buffer) setImmediate(() => socket.resume());
    return taken;
  };
  return socket;
}
