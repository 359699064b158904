import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors/app-error.js';
import { sendError } from './error-envelope.js';

/** How much more than the limit is read and thrown away, and for how long, before the client is cut off. */
const patienceBytes = 64 * 1024 * 1024;
const patienceMs = 10_000;

/**
 * Refuses bodies whose length says that they are over the limit. The body is read to its end first: closing on a client that still sends
 * resets the connection, and most clients then report a broken pipe instead of the 413.
 */
export function refuseLargeBodies(fastify: FastifyInstance, limitBytes: number): void {
  fastify.addHook('preParsing', (request, reply, payload, done) => {
    const length = Number(request.headers['content-length'] ?? 0);
    if (!(length > limitBytes)) {
      done(null, payload);
      return;
    }
    const refuse = (): void => {
      clearTimeout(timer);
      const message = `The body has ${length} bytes; server.body_limit_bytes allows ${limitBytes}.`;
      if (!reply.sent) sendError(reply, new AppError('PAYLOAD_TOO_LARGE', message));
    };
    const timer = setTimeout(refuse, length > limitBytes + patienceBytes ? 0 : patienceMs);
    payload.once('end', refuse);
    payload.resume();
  });
}
