import { EngineError, type EngineEndpoint } from '../engine-adapter.port.js';
import { refusalOf, streamErrorOf } from '../http/engine-errors.js';

/** HTTP statuses that say the same as grpc's: https://grpc.io/docs/guides/status-codes/ */
const statuses: Readonly<Record<number, number>> = {
  3: 400, // INVALID_ARGUMENT
  4: 504, // DEADLINE_EXCEEDED
  5: 404, // NOT_FOUND
  7: 403, // PERMISSION_DENIED
  8: 429, // RESOURCE_EXHAUSTED
  11: 400, // OUT_OF_RANGE
  12: 501, // UNIMPLEMENTED
  14: 503, // UNAVAILABLE
  16: 401, // UNAUTHENTICATED
};

/** @param hasBegun whether a token came before */
export function grpcErrorOf(error: unknown, endpoint: EngineEndpoint, hasBegun: boolean): EngineError {
  if (error instanceof EngineError) return error;
  const { code, details } = (error ?? {}) as { readonly code?: unknown; readonly details?: unknown };
  const status = (typeof code === 'number' ? statuses[code] : undefined) ?? 500;
  const message = typeof details === 'string' && details !== '' ? details : 'the connection broke';
  // What grpc-js says where it reaches nobody.
  if (status === statuses[14] && message.includes('No connection established')) {
    const text = `The engine of replica ${endpoint.replicaId} can't be reached.`;
    return new EngineError('REPLICA_EXHAUSTED', text, { isAway: true, cause: error });
  }
  if (hasBegun) return streamErrorOf({ code: status, message }, endpoint, true);
  return refusalOf(status, JSON.stringify({ error: message }), endpoint);
}
