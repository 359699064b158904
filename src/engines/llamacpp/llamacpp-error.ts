import { EngineError, type EngineEndpoint } from '../engine-adapter.port.js';

const longestMessage = 500;

/** llama-server's error answer, `{"error":{"code","message","type"}}`: a 4xx is the request's fault and is not tried elsewhere. */
export function llamacppErrorOf(status: number, body: string, endpoint: EngineEndpoint): EngineError {
  const message = messageOf(body);
  if (status < 500 && status !== 429)
    return new EngineError('INVALID_PARAMS', `The engine refused the request: ${message ?? `status ${status}`}`);
  const reason = message ?? `status ${status}`;
  return new EngineError(
    'REPLICA_EXHAUSTED',
    `The engine of replica ${endpoint.replicaId} can't take the task: ${reason}`,
  );
}

/** The error object that llama-server sends inside a stream that had begun. */
export function llamacppStreamError(error: unknown): EngineError {
  const record = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
  const text =
    typeof record['message'] === 'string' ? record['message'].slice(0, longestMessage) : 'the engine reported an error';
  const isOurs = typeof record['code'] === 'number' && record['code'] >= 400 && record['code'] < 500;
  return new EngineError(
    isOurs ? 'INVALID_PARAMS' : 'WORKER_RESET',
    isOurs ? `The engine refused the request: ${text}` : text,
    { afterFirstByte: true },
  );
}

function messageOf(body: string): string | null {
  try {
    const parsed: unknown = JSON.parse(body);
    const error = (parsed as { error?: { message?: unknown } } | null)?.error;
    return typeof error?.message === 'string' ? error.message.slice(0, longestMessage) : null;
  } catch {
    return null;
  }
}
