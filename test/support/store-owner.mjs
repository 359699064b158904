// A process that runs the local stores as the server does, for tests that kill it. Says {url, attached} when ready;
// a line on stdin makes it stop properly. Arguments: postgres|redis, data directory.

import process, { env } from 'node:process';

import { startEmbeddedPostgres, startLocalRedis } from '../../dist/platform/local-stores/index.js';

const [kind, dataDir] = process.argv.slice(2);
const log = { info: () => undefined, warn: (message) => process.stderr.write(`${message}\n`) };
const store =
  kind === 'postgres'
    ? await startEmbeddedPostgres({ dataDir, log })
    : await startLocalRedis({ dataDir, log, allowInstall: false, searchPath: env.PATH ?? '' });

process.stdout.write(`${JSON.stringify({ url: store.url, attached: store.attached })}\n`);
process.stdin.once('data', () => {
  void store.stop().then(() => process.exit(0));
});
