import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { env } from 'node:process';
import { promisify } from 'node:util';
import { writeDemoModel } from '../../src/modules/provisioning/demo-model/write-demo-model.js';
import { exists } from './node-llama-cpp.js';
import { waitUntil } from './wait-until.js';

const cache = join(import.meta.dirname, '../../node_modules/.cache/orchestratord');

/** The path in LLAMA_SERVER, the one on PATH, or one that was fetched into the home folder; null: there is none. */
export const llamaServer = await findLlamaServer();

/** What the titles of tests that need one say where there is none. */
export const skipNote = llamaServer === null ? ': SKIPPED, no llama-server on PATH or in LLAMA_SERVER' : '';

export interface RunningLlamaServer {
  readonly url: string;
  readonly isRunning: () => boolean;
  stop(): Promise<void>;
}

/** A real llama-server with the demo model, on a free port. @param args beside model and port */
export async function startLlamaServer(args: readonly string[]): Promise<RunningLlamaServer> {
  const directory = join(cache, 'llama-server-model');
  const model = join(directory, 'demo.gguf');
  await mkdir(directory, { recursive: true });
  if (!(await exists(model))) await writeDemoModel(model);
  const port = await freePort();
  const all = ['--model', model, '--port', `${port}`, '--no-warmup', ...args];
  const child = spawn(llamaServer ?? 'llama-server', all, { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  const stop = (): Promise<void> => ended(child);
  try {
    await waitUntil('llama-server', async () => (await fetch(`${url}/health`)).ok, 60_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, isRunning: () => child.exitCode === null, stop };
}

/** Slots that decode now. */
export async function busySlots(engineUrl: string): Promise<number> {
  const list = (await (await fetch(`${engineUrl}/slots`)).json()) as { is_processing: boolean }[];
  return list.filter((slot) => slot.is_processing).length;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function findLlamaServer(): Promise<string | null> {
  const named = env['LLAMA_SERVER'];
  if (named !== undefined && named !== '') return named;
  try {
    return (await promisify(execFile)('sh', ['-c', 'command -v llama-server'])).stdout.trim();
  } catch {
    const fetched = join(env['HOME'] ?? dirname(cache), '.cache/llama-server/llama-server');
    return (await exists(fetched)) ? fetched : null;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
