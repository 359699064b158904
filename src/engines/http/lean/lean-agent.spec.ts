import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineAgent } from './lean-agent.js';

const answer = 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok';

describe('EngineAgent', () => {
  let agent: EngineAgent;
  let server: Server;
  let origin: string;
  /** What the server does with the nth request of a connection, counted from 1. */
  let onRequest: (socket: Socket, nth: number) => void;
  let connections: number;

  beforeEach(async () => {
    agent = new EngineAgent();
    connections = 0;
    server = createServer((socket) => {
      connections += 1;
      let requests = 0;
      socket.on('data', () => onRequest(socket, (requests += 1)));
      // Cut connections are the point of these tests.
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    await agent.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function ask(onData: (controller: Dispatcher.DispatchController) => void = () => undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      let body = '';
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => undefined,
        onResponseStart: () => undefined,
        onResponseData: (controller, bytes) => {
          body += bytes.toString();
          onData(controller);
        },
        onResponseEnd: () => resolve(body),
        onResponseError: (_, error) => reject(error),
      };
      agent.dispatch({ origin, path: '/', method: 'POST', body: '{}' }, handler, 5000);
    });
  }

  it('uses a connection again', async () => {
    onRequest = (socket) => socket.write(answer);
    for (let n = 0; n < 3; n++) expect(await ask()).toBe('ok');
    expect(connections).toBe(1);
  });

  it.each([
    ['ends', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ])('asks anew where the server %s a kept connection when it is used again', async (_, close) => {
    onRequest = (socket, nth) => (nth === 1 ? socket.write(answer) : close(socket));
    for (let n = 0; n < 3; n++) expect(await ask()).toBe('ok');
    expect(connections).toBe(3);
  });

  it('does not use a connection that the server has closed since', async () => {
    onRequest = (socket) => socket.end(answer);
    for (let n = 0; n < 3; n++) expect(await ask()).toBe('ok');
    expect(connections).toBe(3);
  });

  it('does not ask twice on a new connection, nor when an answer has begun', async () => {
    onRequest = (socket) => socket.end();
    await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(connections).toBe(1);
    onRequest = (socket, nth) => (nth === 1 ? socket.write(answer) : socket.end(answer.slice(0, 12)));
    expect(await ask()).toBe('ok');
    await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(connections).toBe(2);
  });

  it('says of a request that nobody is there for any more whether it was sent before', async () => {
    onRequest = (socket, nth) => {
      if (nth === 1) return socket.write(answer);
      server.close();
      socket.destroy();
    };
    expect(await ask()).toBe('ok');
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED', wasSent: true });
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(error).not.toHaveProperty('wasSent');
  });

  it('does not use a connection again that was held back to the end', async () => {
    onRequest = (socket) => socket.write(answer);
    expect(await ask((controller) => controller.pause())).toBe('ok');
    expect(await ask()).toBe('ok');
    expect(connections).toBe(2);
  });

  it('gives up connecting after the time it is given', () => {
    vi.useFakeTimers();
    const onError = vi.fn<(error: Error) => void>();
    const handler = { onRequestStart: () => undefined, onResponseError: (_: unknown, error: Error) => onError(error) };
    agent.dispatch({ origin, path: '/', method: 'GET' }, handler, 70);
    vi.advanceTimersByTime(69);
    expect(onError).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: 'UND_ERR_CONNECT_TIMEOUT' }));
  });

  it('asks no more once it is destroyed', async () => {
    let heard = (): void => undefined;
    const second = new Promise<void>((resolve) => (heard = resolve));
    onRequest = (socket, nth) => (nth === 1 ? socket.write(answer) : heard());
    expect(await ask()).toBe('ok');
    const waiting = ask().catch((error: unknown) => error);
    await second;
    await agent.destroy();
    expect(await waiting).toMatchObject({ code: 'UND_ERR_DESTROYED' });
    expect(connections).toBe(1);
  });
});
