import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { ErrorEnvelope } from '../../contract/errors.js';
import type { AppError } from '../errors/app-error.js';
import { correlationHeader } from './correlation.js';
import { statusOf } from './error-status.js';

/** The body of an HTTP error. */
export function envelopeOf(error: AppError, correlationId: string): ErrorEnvelope {
  return {
    code: error.code,
    message: error.message,
    retriable: error.retriable,
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: wholeMs(error.retryAfterMs) }),
    ...(error.policyLabel === undefined ? {} : { policy_label: error.policyLabel }),
    ...(error.engine === undefined ? {} : { engine: error.engine }),
    ...(error.poolId === undefined ? {} : { pool_id: error.poolId }),
    ...(error.details === undefined ? {} : { details: [...error.details] }),
    correlation_id: correlationId,
  };
}

/** A whole answer for an error: for code that writes to a socket itself, such as a stream that has not begun. */
export function errorResponse(
  error: AppError,
  correlationId: string,
): { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const status = statusOf[error.code];
  const headers: Record<string, string> = {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    [correlationHeader]: correlationId,
  };
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  if (error.retryAfterMs !== undefined) {
    headers['Retry-After'] = String(Math.ceil(wholeMs(error.retryAfterMs) / 1000));
    headers['X-Backoff-Ms'] = String(wholeMs(error.retryAfterMs));
  }
  return { status, headers, body: JSON.stringify(envelopeOf(error, correlationId)) };
}

/** Answers a Fastify request with an error. */
export function sendError(reply: FastifyReply, error: AppError): void {
  const { status, headers, body } = errorResponse(error, reply.request.id);
  void reply.code(status).headers(headers).send(body);
}

/** Answers on a response that was taken from Fastify (`reply.hijack()`), before its head was written. */
export function writeError(response: ServerResponse, error: AppError, correlationId: string): void {
  const { status, headers, body } = errorResponse(error, correlationId);
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function wholeMs(milliseconds: number): number {
  return Math.max(0, Math.ceil(milliseconds));
}
