import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { execPath } from 'node:process';

/**
 * Sends a handle back as often as it is told, and ends. The raw handle: as a server of its own it would take connections meanwhile, and lose them.
 */
const echo =
  "process.on('message',(count,handle)=>{const next=()=>count-->0?process.send('',handle,next):process.disconnect();next()})";

/**
 * Take new connections from the same listening socket as an HTTP server, beside it, and give them to it. libuv takes one connection a listener and
 * turn of the event loop (since 1.45: https://github.com/libuv/libuv/pull/3696); under load a turn takes 20 ms, and a burst of clients waits
 * for seconds.
 */
export class Acceptors {
  private constructor(private readonly extra: readonly Server[]) {}

  /**
   * Adds `count` of them to a server that listens. Its socket's handle goes to a short-lived process and back, which makes handles of their own: Node
   * has no other way to it before `reusePort` (22.12). Never rejects: where it can't be done there are fewer, and all works as before.
   */
  static async beside(server: HttpServer, count: number): Promise<Acceptors> {
    const { _handle: handle } = server as unknown as { readonly _handle?: Server };
    const extra: Server[] = [];
    if (handle === undefined) return new Acceptors(extra);
    const child = spawn(execPath, ['-e', echo], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: {} });
    const gone = once(child, 'close').catch(() => undefined);
    child.on('message', (_, copy) => {
      if (copy !== undefined) extra.push(acceptor(server, copy as Server));
    });
    child.send(count, handle, (error) => {
      if (error !== null) child.kill();
    });
    await gone;
    return new Acceptors(extra);
  }

  get count(): number {
    return this.extra.length;
  }

  /** Take no more connections. Resolves when those that came through them have ended. */
  async close(): Promise<void> {
    await Promise.all(this.extra.map((one) => new Promise<void>((resolve) => one.close(() => resolve()))));
  }
}

function acceptor(server: HttpServer, handle: Server): Server {
  // As Node's HTTP server sets up its own.
  const one = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
  one.on('error', () => one.close());
  return one.listen(handle);
}
