import { MessageChannel } from 'node:worker_threads';
import type { EngineAdapter, EngineAdapters } from '../../src/engines/engine-adapter.port.js';
import { AdapterServer } from '../../src/engines/engine-thread/adapter-server.js';
import { RemoteAdapters } from '../../src/engines/engine-thread/remote-adapters.js';
import { helloOf, type Batch, type Hello, type ToThread } from '../../src/engines/engine-thread/thread-messages.js';

/** An adapter as the engine thread has it and as its process sees it: everything crosses a line, in copies and a moment later. */
export function acrossALine(adapter: EngineAdapter): EngineAdapter {
  const { port1, port2 } = new MessageChannel();
  const adapters: EngineAdapters = new Map([[adapter.engine, adapter]]);
  const remote = new RemoteAdapters(port1);
  const server = new AdapterServer(port2, adapters, remote.memory, () => port2.close());
  port1.on('message', (message: Hello | Batch) => {
    if (Array.isArray(message)) remote.hear(message);
  });
  port2.on('message', (message: ToThread) => server.hear(message));
  port1.unref();
  port2.unref();
  const seen = remote.adaptersOf(helloOf(adapters)).get(adapter.engine);
  if (seen === undefined) throw new Error('the line has lost its adapter');
  return seen;
}

/** A dialect whose adapter is in the thread. */
export function inThread<Dialect extends { readonly name: string; readonly adapter: (agent: never) => EngineAdapter }>(
  dialect: Dialect,
): Dialect {
  const adapter = (agent: never): EngineAdapter => acrossALine(dialect.adapter(agent));
  return { ...dialect, name: `${dialect.name}, in a thread`, adapter };
}
