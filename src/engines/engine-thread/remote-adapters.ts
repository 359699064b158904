import {
  EngineError,
  nothingToHold,
  type EngineAdapter,
  type EngineAdapters,
  type EngineEndpoint,
  type EngineMetrics,
  type EngineSink,
  type EngineStream,
} from '../engine-adapter.port.js';
import { BatchCount } from './batch-count.js';
import {
  errorOf,
  sentEndpoint,
  type Asked,
  type Batch,
  type Hello,
  type SentError,
  type Told,
  type ToThread,
} from './thread-messages.js';
import { messageOf } from '../../platform/errors/message-of.js';

/** The process' end of the line to its thread; a Worker is one. */
export interface ProcessPort {
  postMessage(message: ToThread): void;
}

/** Hears of a run or a question. */
interface Listener {
  token(text: string): void;
  tell(told: Told): void;
}

/** Adapters that work in a thread: the process' side of AdapterServer. Whoever uses them sees no difference. */
export class RemoteAdapters {
  private readonly listeners = new Map<number, Listener>();
  private readonly count = new BatchCount();
  private nextId = 1;

  constructor(private readonly port: ProcessPort) {}

  /** What the thread counts batches by. */
  get memory(): SharedArrayBuffer {
    return this.count.memory;
  }

  /** The adapters of the thread, each with the methods it has there. */
  adaptersOf({ engines }: Hello): EngineAdapters {
    return new Map(engines.map(({ engine, can }) => [engine, this.adapterOf(engine, new Set<string>(can))]));
  }

  /** Takes a message of the thread. */
  readonly hear = (batch: Batch): void => {
    for (let at = 0; at < batch.length; at += 2) {
      const listener = this.listeners.get(batch[at] as number);
      if (listener === undefined) continue;
      const told = batch[at + 1] as string | Told;
      if (typeof told === 'string') listener.token(told);
      else listener.tell(told);
    }
    if (this.count.take()) this.port.postMessage({ kind: 'go on' });
  };

  private adapterOf(engine: EngineAdapter['engine'], can: ReadonlySet<string>): EngineAdapter {
    const ask = async <Answer>(endpoint: EngineEndpoint, asked: Asked, signal: AbortSignal): Promise<Answer> =>
      (await this.ask(engine, endpoint, asked, signal)) as Answer;
    return {
      engine,
      submit: (endpoint, request, sink, signal) => {
        if (signal.aborted) return nothingToHold;
        const id = this.nextId++;
        const run = new RemoteRun(id, sink, signal, this.port, this.listeners);
        this.port.postMessage({ kind: 'submit', id, engine, endpoint: sentEndpoint(endpoint), request });
        return run;
      },
      ...(can.has('countTokens') && {
        countTokens: (endpoint: EngineEndpoint, model: string | undefined, text: string, signal: AbortSignal) =>
          ask<number>(endpoint, { question: 'countTokens', about: [model, text] }, signal),
      }),
      ...(can.has('evictSession') && {
        evictSession: (endpoint: EngineEndpoint, sessionId: string, signal: AbortSignal) =>
          ask<boolean>(endpoint, { question: 'evictSession', about: [sessionId] }, signal),
      }),
      ...(can.has('metrics') && {
        metrics: (endpoint: EngineEndpoint, signal: AbortSignal) =>
          ask<EngineMetrics>(endpoint, { question: 'metrics', about: [] }, signal),
      }),
    };
  }

  private ask(
    engine: EngineAdapter['engine'],
    endpoint: EngineEndpoint,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<unknown> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      // The thread answers also what was given up: with the adapter's own word for it.
      const giveUp = (): void => this.port.postMessage({ kind: 'abort', id });
      this.listeners.set(id, {
        token: () => undefined,
        tell: (told) => {
          this.listeners.delete(id);
          signal.removeEventListener('abort', giveUp);
          if (told.kind === 'answer') resolve(told.answer);
          else if (told.kind === 'error') reject(errorOf(told.error));
        },
      });
      this.port.postMessage({ kind: 'ask', id, engine, endpoint: sentEndpoint(endpoint), asked });
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
    });
  }
}

/** A run whose adapter works in the thread. */
class RemoteRun implements Listener, EngineStream {
  constructor(
    private readonly id: number,
    private readonly sink: EngineSink,
    private readonly signal: AbortSignal,
    private readonly port: ProcessPort,
    private readonly listeners: Map<number, Listener>,
  ) {
    listeners.set(id, this);
    signal.addEventListener('abort', this.abort, { once: true });
  }

  token(text: string): void {
    try {
      this.sink.onToken(text);
    } catch (error) {
      // A fault of one reader must not take the batch from the others.
      this.abort();
      const message = messageOf(error);
      this.sink.onError(new EngineError('WORKER_RESET', message, { afterFirstByte: true }));
    }
  }

  tell(told: Told): void {
    if (told.kind === 'prompt') this.sink.onPrompt(told.tokensIn);
    else if (told.kind === 'end') {
      this.finish();
      this.sink.onEnd(told.usage);
    } else if (told.kind === 'error') {
      this.finish();
      this.sink.onError(engineErrorOf(told.error));
    }
  }

  pause(): void {
    this.port.postMessage({ kind: 'pause', id: this.id });
  }

  resume(): void {
    this.port.postMessage({ kind: 'resume', id: this.id });
  }

  private readonly abort = (): void => {
    this.finish();
    this.port.postMessage({ kind: 'abort', id: this.id });
  };

  private finish(): void {
    this.listeners.delete(this.id);
    this.signal.removeEventListener('abort', this.abort);
  }
}

/** A sink hears of EngineErrors only. */
function engineErrorOf(sent: SentError): EngineError {
  const error = errorOf(sent);
  return error instanceof EngineError ? error : new EngineError('WORKER_RESET', error.message);
}
