import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import type { Server } from 'node:http';
import { CommandLineError, type EngineHostOptions, parseCommandLine } from './command-line.js';
import { Engine } from './engine.js';
import { createHttpServer } from './http-server.js';
import { Metrics } from './metrics.js';
import { firstLine } from './node-llama-cpp.js';
import { Routes } from './routes.js';
import { Scheduler } from './scheduler.js';

/** How long a native decode step in progress may hold up the exit. */
const STOP_PATIENCE_MS = 3000;

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

let scheduler: Scheduler | undefined;
let routes: Routes | undefined;
let isStopping = false;

try {
  await start(parseCommandLine(process.argv.slice(2)));
} catch (error) {
  log('error', firstLine(error));
  process.exit(error instanceof CommandLineError ? EXIT.usage : EXIT.failed);
}

async function start(options: EngineHostOptions): Promise<void> {
  const server = createHttpServer(
    () => routes,
    (error) => log('error', 'request failed', { problem: error instanceof Error ? error.stack : String(error) }),
  );
  const address = await listen(server, options);
  const stop = (reason: string): void => void stopAll(server, reason);
  // Not `once`: signal-exit, which the library brings, kills the process when it finds no listener but its own.
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  if (options.exitWithParent) followParent(() => stop('parent gone'));

  const engine = await Engine.open(options, (message, fields) => log('info', message, fields));
  if (isStopping) return;
  const metrics = new Metrics();
  scheduler = new Scheduler({
    context: engine.context,
    slots: options.slots,
    slotContext: engine.slotContext,
    batchSize: Math.max(engine.batchSize, options.slots),
    tokenBytes: (token) => engine.tokenText.bytes(token),
    isEndOfGeneration: (token) => engine.isEndOfGeneration(token),
    metrics,
    log: (message, fields) => log('error', message, fields),
  });
  routes = new Routes(engine, scheduler, metrics, {
    modelName: options.alias ?? basename(options.modelPath),
    modelPath: options.modelPath,
    buildInfo: `node-llama-cpp-${engine.release}`,
  });
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://${host}:${address.port}`, pid: process.pid })}\n`);
}

function listen(server: Server, { host, port }: EngineHostOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`can't listen on ${host}:${port}: ${firstLine(error)}`)));
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

/** The parent holds the other end of our stdin: the system closes it however the parent dies. */
function followParent(onGone: () => void): void {
  process.stdin.once('end', onGone).once('error', onGone).once('close', onGone).resume();
  // Nobody may be left to read what we print.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}

async function stopAll(server: Server, reason: string): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  log('info', 'stopping', { reason });
  setTimeout(() => process.exit(EXIT.ok), STOP_PATIENCE_MS).unref();
  server.close();
  const stopped = scheduler?.stop();
  server.closeAllConnections();
  await stopped;
  process.exit(EXIT.ok);
}

function log(level: 'info' | 'error', message: string, fields: Record<string, unknown> = {}): void {
  process.stderr.write(`${JSON.stringify({ level, time: Date.now(), msg: message, ...fields })}\n`);
}
