import { HttpException } from '@nestjs/common';
import { AppError, invalidParams } from '../errors/app-error.js';
import { isStoreFailure } from './store-failure.js';

/** Any thrown thing as an outcome of the catalogue. What nobody foresaw becomes INTERNAL and tells the client nothing about our inside. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // Nest wraps what Fastify refused in an exception of its own; the cause has the precise code.
  const origin = error instanceof HttpException && error.cause instanceof Error ? error.cause : error;
  if (origin instanceof AppError) return origin;
  const refusal = ofFastify(origin) ?? ofStatus(error);
  if (refusal !== null) return refusal;
  if (isStoreFailure(origin)) {
    return new AppError('UNAVAILABLE', 'A store this server needs is not reachable right now; try again shortly.', {
      retryAfterMs: 1000,
      cause: error,
    });
  }
  return new AppError('INTERNAL', 'Something went wrong on our side; the correlation id finds it in the logs.', {
    cause: error,
  });
}

/** Refusals of Fastify before any handler ran. */
function ofFastify(error: unknown): AppError | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('PAYLOAD_TOO_LARGE', 'The body is larger than server.body_limit_bytes allows.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as Content-Type: application/json.');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalidParams([{ field: 'header.content-length', problem: 'does not match the body' }]);
    case 'FST_ERR_BAD_URL':
      return invalidParams([{ field: 'path', problem: 'has a bad percent-encoding' }]);
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return invalidParams([{ field: 'path', problem: 'is too long' }]);
    default:
      return null;
  }
}

/** Other refusals by the status they came with. */
function ofStatus(error: unknown): AppError | null {
  const status = statusIn(error);
  if (status === 404 || status === 405) return notFound();
  if (status === 413)
    return new AppError('PAYLOAD_TOO_LARGE', 'The body is larger than server.body_limit_bytes allows.');
  if (status === 415) return new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as Content-Type: application/json.');
  if (status !== undefined && status >= 400 && status < 500)
    return new AppError('INVALID_PARAMS', 'The request is not valid HTTP.');
  return null;
}

export function notFound(): AppError {
  return new AppError('NOT_FOUND', 'There is nothing at this path for this method; GET /docs lists what there is.');
}

function statusIn(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return undefined;
}
