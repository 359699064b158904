import type { EngineAgent } from './lean/lean-agent.js';
import { EngineError } from '../engine-adapter.port.js';
import { refusalOf } from './engine-errors.js';
import { streamRequest, type EngineCall } from './stream-request.js';

/** Room for the vectors of a few thousand inputs. */
const maxAnswerBytes = 256 * 1024 * 1024;

/** An engine's whole answer; exactly one of the two is called, none after an abort. */
export interface AnswerHandler {
  onAnswer(text: string): void;
  onFailure(error: EngineError): void;
}

/** Asks an engine for one answer, by the rules of `streamRequest`. @param limitBytes longer answers are refused before they are held */
export function answerRequest(
  agent: EngineAgent,
  call: EngineCall,
  handler: AnswerHandler,
  signal: AbortSignal,
  limitBytes = maxAnswerBytes,
): void {
  const pieces: Buffer[] = [];
  let bytes = 0;
  streamRequest(
    agent,
    call,
    {
      onData: (chunk) => {
        bytes += chunk.length;
        if (bytes > limitBytes) throw new Error(`the engine sent an answer of more than ${limitBytes} bytes`);
        // A copy: the bytes lie in a buffer that the next read fills again.
        pieces.push(Buffer.from(chunk));
      },
      onEnd: () => handler.onAnswer(Buffer.concat(pieces, bytes).toString('utf8')),
      onFailure: (error) => handler.onFailure(error),
      errorOf: (status, body) => refusalOf(status, body, call.endpoint),
    },
    signal,
  );
}

/** The same as a promise. Rejects with EngineError, also when the signal is aborted. */
export function fetchText(agent: EngineAgent, call: EngineCall, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new EngineError('DECODE_TIMEOUT', 'The engine was not waited for any longer.'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (then: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      then();
    };
    const handler = {
      onAnswer: (text: string): void => settle(() => resolve(text)),
      onFailure: (error: EngineError): void => settle(() => reject(error)),
    };
    answerRequest(agent, call, handler, signal);
  });
}

/** JSON that an engine answered. The reason of a failure repeats nothing of it: reasons are logged, and output never is. */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable('no JSON');
  }
}

/** An answer that is not what the engine's documentation says. */
export function unreadable(what: string): EngineError {
  return new EngineError('WORKER_RESET', `The engine sent an answer that can't be used: ${what}.`, {
    afterFirstByte: true,
  });
}
