import type { EngineAgent } from './lean/lean-agent.js';
import {
  EngineError,
  nothingToHold,
  type EngineRequest,
  type EngineSink,
  type EngineStream,
  type EngineUsage,
} from '../engine-adapter.port.js';
import { unsupported } from '../engine-capabilities.js';
import type { EngineId } from '../../contract/common.js';
import { refusalOf } from './engine-errors.js';
import { answerRequest, unreadable } from './json-request.js';
import { streamRequest, type EngineCall } from './stream-request.js';

/** Reads a dialect's stream, fed by hand. */
export interface StreamReader {
  /** Throws when the bytes are no stream of the dialect. */
  push(chunk: Buffer): void;
  /** The connection ended in good order. */
  finish(): void;
  fail(error: EngineError): void;
  /** Nobody listens any more: it says nothing from now on. */
  stop(): void;
  /** Whether it has told the end: nothing that comes later is told. */
  readonly isDone: boolean;
}

/** Work that is answered token by token. */
export function streamWork(
  agent: EngineAgent,
  call: EngineCall,
  reader: StreamReader,
  signal: AbortSignal,
): EngineStream {
  const answer = streamRequest(
    agent,
    call,
    {
      onData: (chunk) => {
        reader.push(chunk);
        // The task's slot is given to another now: an engine that goes on is not let.
        if (reader.isDone) answer.letEnd();
      },
      onEnd: () => reader.finish(),
      onFailure: (error) => reader.fail(error),
      onAbort: () => reader.stop(),
      errorOf: (status, body) => refusalOf(status, body, call.endpoint),
    },
    signal,
  );
  return answer;
}

/**
 * Work that is answered in one piece, whenever that begins: an engine says nothing while it reads thousands of texts, so only the wall
 * time bounds it. @param read gives what the sink hears, or throws EngineError for an answer that can't be used
 */
export function answerWork(
  agent: EngineAgent,
  call: EngineCall,
  read: (text: string) => EngineUsage,
  sink: EngineSink,
  signal: AbortSignal,
): EngineStream {
  const onAnswer = (text: string): void => {
    let usage: EngineUsage;
    try {
      usage = read(text);
    } catch (error) {
      sink.onError(error instanceof EngineError ? error : unreadable('it is of another shape'));
      return;
    }
    sink.onEnd(usage);
  };
  const patient = { ...call, beginMs: call.endpoint.timeouts.wallMs };
  answerRequest(agent, patient, { onAnswer, onFailure: (error) => sink.onError(error) }, signal);
  return nothingToHold;
}

/** Refuses what the table of capabilities doesn't have, before anything is sent; null: go on. */
export function refuseUnsupported(engine: EngineId, request: EngineRequest, sink: EngineSink): EngineStream | null {
  const reason = unsupported(engine, request.work);
  if (reason === null) return null;
  sink.onError(new EngineError('INVALID_PARAMS', `${reason}.`));
  return nothingToHold;
}

/** What goes along with every request, so that an engine's log can be laid beside ours. */
export function traceHeaders({ correlationId, traceparent }: EngineRequest): Record<string, string> {
  return { 'x-correlation-id': correlationId, ...(traceparent !== undefined && { traceparent }) };
}
