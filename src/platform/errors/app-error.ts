import type { ErrorCode, ErrorDetail } from '../../contract/errors.js';

export interface AppErrorOptions {
  /** Milliseconds until a retry may help; also becomes `Retry-After`. */
  readonly retryAfterMs?: number;
  readonly retriable?: boolean;
  readonly policyLabel?: string;
  readonly engine?: string;
  readonly poolId?: string;
  readonly details?: readonly ErrorDetail[];
  readonly cause?: unknown;
}

/** Codes whose request may succeed later without a change. */
const retriableCodes: ReadonlySet<ErrorCode> = new Set([
  'ADMISSION_REJECT',
  'QUEUE_FULL_DROP_LRU',
  'POOL_UNREADY',
  'POOL_UNAVAILABLE',
  'REPLICA_EXHAUSTED',
  'DECODE_TIMEOUT',
  'WORKER_RESET',
  'UNAVAILABLE',
]);

/**
 * An outcome with a code of the catalogue: becomes the HTTP envelope (`platform/http` picks the status) or a stream's `error` event.
 * The message is shown to clients: it never holds a secret, a prompt or a stack, and it says what to do.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly policyLabel: string | undefined;
  readonly engine: string | undefined;
  readonly poolId: string | undefined;
  readonly details: readonly ErrorDetail[] | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retriable = options.retriable ?? retriableCodes.has(code);
    this.retryAfterMs = options.retryAfterMs;
    this.policyLabel = options.policyLabel;
    this.engine = options.engine;
    this.poolId = options.poolId;
    this.details = options.details;
  }
}

/** A request whose fields are wrong: one message, one detail a problem. */
export function invalidParams(details: readonly ErrorDetail[], message?: string): AppError {
  const first = details[0];
  const text = message ?? (first === undefined ? 'The request is not valid.' : `${first.field}: ${first.problem}`);
  return new AppError('INVALID_PARAMS', text, { details });
}
