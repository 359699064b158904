import type { EngineAdapter, EngineAdapters, EngineEndpoint, EngineMetrics } from '../engine-adapter.port.js';
import { BatchCount } from './batch-count.js';
import { Outbox } from './outbox.js';
import { ServedRun } from './served-run.js';
import {
  endpointOf,
  helloOf,
  sentError,
  type Asked,
  type Batch,
  type Hello,
  type ToThread,
} from './thread-messages.js';

/** The thread's end of the line to its process; a MessagePort is one. */
export interface ThreadPort {
  postMessage(message: Hello | Batch): void;
}

/** The thread's side: does with its adapters what RemoteAdapters ask for, and tells what comes of it. */
export class AdapterServer {
  private readonly runs = new Map<number, ServedRun>();
  private readonly asking = new Map<number, AbortController>();
  private readonly outbox: Outbox;

  /** @param memory the batch count, as the process made it */
  constructor(
    port: ThreadPort,
    private readonly adapters: EngineAdapters,
    memory: SharedArrayBuffer,
    private readonly onClose: () => void,
  ) {
    this.outbox = new Outbox((batch) => port.postMessage(batch), new BatchCount(memory));
    port.postMessage(helloOf(adapters));
  }

  /** Takes a message of the process. */
  readonly hear = (message: ToThread): void => {
    switch (message.kind) {
      case 'submit':
        this.submit(message);
        break;
      case 'ask':
        void this.ask(message);
        break;
      case 'abort':
        this.asking.get(message.id)?.abort();
        this.runs.get(message.id)?.abort();
        break;
      case 'pause':
      case 'resume':
        this.runs.get(message.id)?.[message.kind]();
        break;
      case 'go on':
        this.outbox.goOn();
        break;
      case 'close':
        for (const run of this.runs.values()) run.abort();
        this.onClose();
        break;
    }
  };

  private submit({ id, engine, endpoint, request }: Extract<ToThread, { kind: 'submit' }>): void {
    const run = new ServedRun(id, this.outbox, () => this.runs.delete(id));
    this.runs.set(id, run);
    try {
      const adapter = this.adapterOf(engine);
      run.start((sink, signal) => adapter.submit(endpointOf(endpoint), request, sink, signal));
    } catch (error) {
      this.runs.delete(id);
      this.outbox.tell(id, { kind: 'error', error: sentError(error) });
    }
  }

  private async ask({ id, engine, endpoint, asked }: Extract<ToThread, { kind: 'ask' }>): Promise<void> {
    const abortion = new AbortController();
    this.asking.set(id, abortion);
    try {
      const answer = await answerOf(this.adapterOf(engine), endpointOf(endpoint), asked, abortion.signal);
      this.outbox.tell(id, { kind: 'answer', answer });
    } catch (error) {
      this.outbox.tell(id, { kind: 'error', error: sentError(error) });
    } finally {
      this.asking.delete(id);
    }
  }

  private adapterOf(engine: EngineAdapter['engine']): EngineAdapter {
    const adapter = this.adapters.get(engine);
    if (adapter === undefined) throw new Error(`this build does not speak to ${engine}`);
    return adapter;
  }
}

async function answerOf(
  adapter: EngineAdapter,
  endpoint: EngineEndpoint,
  asked: Asked,
  signal: AbortSignal,
): Promise<number | boolean | EngineMetrics> {
  const answer = await (asked.question === 'countTokens'
    ? adapter.countTokens?.(endpoint, ...asked.about, signal)
    : asked.question === 'evictSession'
      ? adapter.evictSession?.(endpoint, ...asked.about, signal)
      : adapter.metrics?.(endpoint, signal));
  if (answer === undefined) throw new Error(`${adapter.engine} can't be asked: ${asked.question}`);
  return answer;
}
