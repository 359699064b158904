import { parentPort, workerData } from 'node:worker_threads';
import { AdapterServer } from '../../engines/engine-thread/adapter-server.js';
import type { EngineThreadData } from '../../engines/engine-thread/engine-thread.js';
import type { ToThread } from '../../engines/engine-thread/thread-messages.js';
import { createAdapters } from '../worker/adapters.js';

if (parentPort === null) throw new Error('this is a thread of orchestratord, and no program of its own');
const port = parentPort;
const { memory } = workerData as EngineThreadData;
const { adapters, close } = createAdapters();
const server = new AdapterServer(port, adapters, memory, () => {
  void close().finally(() => port.close());
});
port.on('message', (message: ToThread) => server.hear(message));
