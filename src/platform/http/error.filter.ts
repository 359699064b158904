import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AppError } from '../errors/app-error.js';
import type { Log } from '../observability/logger.js';
import { sendError } from './error-envelope.js';
import { toAppError } from './to-app-error.js';

/** Turns every throw of a handler, a pipe or Fastify itself into the envelope, and logs what is ours to mend. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const error = toAppError(thrown);
    logFault(this.log, error, thrown, request);
    if (reply.sent || reply.raw.headersSent) {
      // Half an answer went out already; cutting the connection is the only way left to say that it is not whole.
      reply.raw.destroy();
      return;
    }
    sendError(reply, error);
  }
}

export function logFault(log: Log, error: AppError, thrown: unknown, request: FastifyRequest): void {
  if (error.code !== 'INTERNAL' && error.code !== 'UNAVAILABLE') return;
  const fields = { correlation_id: request.id, route: request.routeOptions.url, code: error.code, err: thrown };
  if (error.code === 'INTERNAL') log.error(fields, 'request failed');
  else log.warn(fields, 'request failed: a store is away');
}
