import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Acceptors } from './acceptors.js';

describe('Acceptors', () => {
  let server: Server;
  let port: number;

  beforeEach(async () => {
    server = createServer((_, response) => response.end('here'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });

  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  /** On a connection of its own. */
  function get(): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve(body));
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  it('take connections for the server, also when it takes none itself', async () => {
    const acceptors = await Acceptors.beside(server, 3);
    expect(acceptors.count).toBe(3);
    expect(await Promise.all(Array.from({ length: 20 }, get))).toEqual(Array(20).fill('here'));
    server.close();
    expect(await Promise.all(Array.from({ length: 20 }, get))).toEqual(Array(20).fill('here'));
    await acceptors.close();
    await expect(get()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('end when what they took has ended', async () => {
    const acceptors = await Acceptors.beside(server, 2);
    server.close();
    server.removeAllListeners('request');
    const asked = new Promise<() => void>((resolve) =>
      server.on('request', (_, response) => resolve(() => response.end('late'))),
    );
    const got = get();
    const answer = await asked;
    let isClosed = false;
    const closing = acceptors.close().then(() => (isClosed = true));
    expect(isClosed).toBe(false);
    answer();
    expect(await got).toBe('late');
    await closing;
  });

  it('are none beside a server that does not listen', async () => {
    expect((await Acceptors.beside(createServer(), 3)).count).toBe(0);
  });
});
