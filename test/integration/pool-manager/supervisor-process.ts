import { readFileSync } from 'node:fs';
import { lookAtEngine } from '../../../src/engines/engine-probe.js';
import { PoolManager, type PackagePool, type PoolManagerSettings } from '../../../src/modules/pool-manager/index.js';
import { EnsureModel } from '../../../src/modules/provisioning/index.js';
import { fakeAdapter } from './fake-adapter.js';

// A pool manager in a process of its own, so that it can be killed: prints each status as a line. Argument: a JSON file with settings and pool.
const [, , file] = process.argv;
const input = JSON.parse(readFileSync(file ?? '', 'utf8')) as { settings: PoolManagerSettings; pool: PackagePool };
const hub = { endpoint: 'https://huggingface.co', token: null };
const manager = new PoolManager(input.settings, {
  ensureModel: new EnsureModel({ allowDownloads: false, allowedHosts: [], hub }),
  adapters: new Map([['llamacpp', fakeAdapter]]),
  look: lookAtEngine,
  announcer: { announce: () => undefined, withdraw: () => undefined },
});
manager.onStatus((status) => process.stdout.write(`${JSON.stringify(status)}\n`));
manager.start([input.pool]);
