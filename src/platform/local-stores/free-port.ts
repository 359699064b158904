import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/**
 * A port on 127.0.0.1 for a store: the one remembered in `file` when it is still free, so that addresses survive a
 * restart, else any free one, which is then remembered.
 */
export async function rememberedPort(file: string): Promise<number> {
  const remembered = Number(await readFile(file, 'utf8').catch(() => ''));
  if (Number.isInteger(remembered) && remembered > 0 && remembered < 65_536) {
    if ((await listenOnce(remembered)) !== undefined) return remembered;
  }
  return newPort(file);
}

/** Any free port on 127.0.0.1, remembered in `file` for the next start. */
export async function newPort(file: string): Promise<number> {
  const port = await listenOnce(0);
  if (port === undefined) throw new Error('no free port on 127.0.0.1');
  await writeFile(file, `${port}\n`, { mode: 0o600 });
  return port;
}

async function listenOnce(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  } catch {
    return undefined;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
