import type { ErrorCode } from '../../contract/errors.js';

/**
 * The one place that knows which HTTP status an error code has. The last group are endings of a stream; their status counts only when they
 * are thrown before a stream has begun.
 */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  INVALID_PARAMS: 400,
  DEADLINE_UNMET: 400,
  MISSING_TOKEN: 401,
  BAD_TOKEN: 401,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  ADMISSION_REJECT: 429,
  QUEUE_FULL_DROP_LRU: 429,
  BUDGET_EXHAUSTED: 429,
  POOL_UNREADY: 503,
  POOL_UNAVAILABLE: 503,
  UNAVAILABLE: 503,
  INTERNAL: 500,
  REPLICA_EXHAUSTED: 503,
  DECODE_TIMEOUT: 504,
  WORKER_RESET: 503,
};
