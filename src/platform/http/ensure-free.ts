import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Rejects with Node's error when nothing can listen at an address: asked before anything else is started, so that a second server of the same
 * configuration takes no tasks and starts no engines before it finds that out. @param port 0: any, nothing is asked
 */
export async function ensureFree({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  if (port === 0) return;
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  await new Promise((resolve) => server.close(resolve));
}
