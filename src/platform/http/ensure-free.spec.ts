import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ensureFree } from './ensure-free.js';

describe('ensureFree', () => {
  it('rejects as long as somebody listens there, and leaves the address free', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const at = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    await expect(ensureFree(at)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await new Promise((resolve) => server.close(resolve));
    await ensureFree(at);
    await ensureFree(at);
    await ensureFree({ host: '127.0.0.1', port: 0 });
  });
});
