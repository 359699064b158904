import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { EngineAdapters } from '../engine-adapter.port.js';
import { RemoteAdapters } from './remote-adapters.js';
import type { Batch, Hello, ToThread } from './thread-messages.js';

/** What a script that runs an AdapterServer is given as its `workerData`. */
export interface EngineThreadData {
  readonly memory: SharedArrayBuffer;
}

const closeMs = 5000;

/**
 * A thread that speaks to engines: sockets, dialects and their parsing are a good part of what a token costs, and the thread that serves
 * clients is the one that is short of time.
 */
export class EngineThread {
  private isClosing = false;
  private isBroken = false;

  private constructor(
    readonly adapters: EngineAdapters,
    private readonly worker: Worker,
    private readonly gone: Promise<unknown>,
  ) {}

  /**
   * Resolves when it takes work; rejects when it can't start.
   * @param script runs an AdapterServer
   * @param onBroken the thread has ended by itself, and nothing that was asked of it will be answered
   */
  static async start(script: URL, onBroken: (error: Error) => void): Promise<EngineThread> {
    const remote = new RemoteAdapters({ postMessage: (message) => worker.postMessage(message) });
    const data: EngineThreadData = { memory: remote.memory };
    const worker = new Worker(script, { name: 'engines', workerData: data });
    const gone = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
    const ended = gone.then(() => Promise.reject(new Error('the engine thread ended before it began')));
    const [hello] = (await Promise.race([once(worker, 'message'), ended])) as [Hello];
    const thread = new EngineThread(remote.adaptersOf(hello), worker, gone);
    worker.on('message', (batch: Batch) => remote.hear(batch));
    worker.on('error', (error) => thread.tellOnce(onBroken, error));
    worker.on('exit', () => thread.tellOnce(onBroken, new Error('the engine thread ended by itself')));
    return thread;
  }

  /** Closes all connections to engines, and ends the thread. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.worker.postMessage({ kind: 'close' } satisfies ToThread);
    const timer = setTimeout(() => void this.worker.terminate(), closeMs);
    await this.gone;
    clearTimeout(timer);
  }

  private tellOnce(onBroken: (error: Error) => void, error: Error): void {
    if (this.isClosing || this.isBroken) return;
    this.isBroken = true;
    onBroken(error);
  }
}
