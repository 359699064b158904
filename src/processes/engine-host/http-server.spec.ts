import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpServer } from './http-server.js';

let server: Server | undefined;

afterEach(() => {
  server?.close();
});

describe('the HTTP server', () => {
  it('says that the model is loading until it is there', async () => {
    server = createHttpServer(
      () => undefined,
      () => undefined,
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      error: { code: 503, message: 'Loading model', type: 'unavailable_error' },
    });
  });
});
