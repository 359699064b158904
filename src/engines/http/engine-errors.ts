import { EngineError, type EngineEndpoint } from '../engine-adapter.port.js';

const longestMessage = 500;

/** Statuses below 500 that blame the server or its configuration, not the request: no key or a wrong one, too slow, too early, too busy; 424 is
 * how TGI says that generating failed. */
const notTheRequest: readonly number[] = [401, 403, 407, 408, 424, 425, 429];

/** Asked for something the engine was not started for: the same everywhere in the pool. */
const notImplemented = 501;

/**
 * An engine's answer of another status than 2xx, in our words. What blames the request is not tried elsewhere.
 * Reads `{"error":{"message"}}` (OpenAI, llama.cpp, vLLM), `{"error":"…"}` (TGI, Triton), `{"message"}` (older vLLM) and `{"detail"}` (FastAPI).
 */
export function refusalOf(status: number, body: string, endpoint: EngineEndpoint): EngineError {
  const reason = hideKey(messageIn(parsed(body)) ?? `status ${status}`, endpoint);
  const blamesRequest = (status >= 400 && status < 500 && !notTheRequest.includes(status)) || status === notImplemented;
  if (blamesRequest) return new EngineError('INVALID_PARAMS', `The engine refused the request: ${reason}`);
  return new EngineError(
    'REPLICA_EXHAUSTED',
    `The engine of replica ${endpoint.replicaId} can't take the task: ${reason}`,
  );
}

/** Types of errors that blame the request: of OpenAI, vLLM and TGI. */
const blamingTypes: readonly unknown[] = [
  'invalid_request_error',
  'BadRequestError',
  'validation',
  'template_error',
  'missing_template_variable',
];

/**
 * The error that an engine reports inside a stream: an object or a text.
 * @param hasBegun whether a token came before; until then another replica may do better
 */
export function streamErrorOf(error: unknown, endpoint: EngineEndpoint, hasBegun: boolean): EngineError {
  const text = hideKey(messageIn({ error }) ?? 'the engine reported an error', endpoint);
  const isOurs = blamesRequest(error);
  return new EngineError(
    isOurs ? 'INVALID_PARAMS' : 'WORKER_RESET',
    isOurs ? `The engine refused the request: ${text}` : text,
    { afterFirstByte: hasBegun },
  );
}

function blamesRequest(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, type, message } = error as { code?: unknown; type?: unknown; message?: unknown };
  if (typeof code === 'number') return code >= 400 && code < 500 && !notTheRequest.includes(code);
  // All that TGI's Messages API tells of it.
  if (typeof message === 'string' && message.startsWith('Input validation error')) return true;
  return blamingTypes.includes(type);
}

function messageIn(answer: unknown): string | null {
  if (typeof answer !== 'object' || answer === null) return null;
  const { error, message, detail } = answer as { error?: unknown; message?: unknown; detail?: unknown };
  const inside = typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : error;
  const text = [inside, message, detail].find((value) => typeof value === 'string' && value !== '');
  return typeof text === 'string' ? text.slice(0, longestMessage) : null;
}

/** Engines quote what they were sent. */
function hideKey(text: string, { apiKey }: EngineEndpoint): string {
  return apiKey === undefined ? text : text.replaceAll(apiKey.reveal(), '[redacted]');
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
