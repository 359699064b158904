import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyHttpOptions, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addAuthHook, authPolicyOf } from '../auth/auth-hook.js';
import type { AppConfig } from '../config/app-config.js';
import { invalidParams } from '../errors/app-error.js';
import { newUuid } from '../ids/uuid.js';
import type { Log } from '../observability/logger.js';
import { correlationHeader, correlationIdOf } from './correlation.js';
import { errorResponse, sendError, writeError } from './error-envelope.js';
import { acceptJsonOnly } from './json-body.js';
import { refuseLargeBodies } from './large-body.js';
import { toAppError } from './to-app-error.js';

/** Fastify as every process of ours listens with it: correlation ids, the token check, JSON only, errors in the envelope. */
export function createHttpAdapter(config: AppConfig, log: Log): FastifyAdapter {
  const options: FastifyHttpOptions<Server> & { skipMiddie: boolean } = {
    // Node would answer a missing Host by itself, without a body.
    http: { requireHostHeader: false },
    bodyLimit: config.server.body_limit_bytes,
    genReqId: correlationIdOf,
    logger: false,
    // While closing, requests on open connections are still answered by their handlers.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2048 },
    // Nest middleware is not used here, and its runner would cost every request.
    skipMiddie: true,
    frameworkErrors: (error, request, reply) => {
      reply.raw.setHeader(correlationHeader, request.id);
      sendError(reply, toAppError(error));
    },
    clientErrorHandler: (error, socket) => refuseConnection(error, socket as Socket),
  };
  const adapter = new FastifyAdapter(options);
  adapter.setOnRequestHook(beginRequest);
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  fastify.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const error = invalidParams([{ field: 'header.Expect', problem: 'may only be 100-continue' }]);
    writeError(response, error, correlationIdOf(request));
  });
  addAuthHook(fastify, authPolicyOf(config), (reply, error) => sendError(reply, error));
  refuseLargeBodies(fastify, config.server.body_limit_bytes);
  acceptJsonOnly(fastify);
  if (log.isLevelEnabled('debug')) addRequestLog(fastify, log);
  return adapter;
}

/** Runs before all other hooks. Set on the raw response, the correlation id also reaches hijacked streams. */
function beginRequest(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  reply.raw.setHeader(correlationHeader, request.id);
  const hasHost = request.headers.host !== undefined || request.raw.httpVersion === '1.0';
  if (hasHost) done();
  else done(invalidParams([{ field: 'header.Host', problem: 'is required' }]));
}

/** One line a request. The route, not the URL: query strings and ids of others stay out of the log. */
function addRequestLog(fastify: FastifyInstance, log: Log): void {
  fastify.addHook('onResponse', (request, reply, done) => {
    log.debug(
      {
        correlation_id: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 10) / 10,
        identity: request.identity,
      },
      'request',
    );
    done();
  });
}

/** Answers bytes that are no HTTP request, before any routing. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? { field: 'header', problem: 'the headers are too large' }
      : {
          field: 'request',
          problem: error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'took too long to arrive' : 'is not valid HTTP',
        };
  const { headers, body } = errorResponse(invalidParams([problem]), newUuid());
  const head = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' });
  socket.end(`HTTP/1.1 400 Bad Request\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
}
