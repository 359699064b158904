import type { FastifyInstance, FastifyRequest } from 'fastify';
import { clientAddress } from '../../platform/auth/loopback.js';
import { AppError } from '../../platform/errors/app-error.js';
import { sendError } from '../../platform/http/error-envelope.js';
import type { RateLimits } from './rate-limits.js';
import { RateTicket } from './rate-ticket.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request may take of its caller's limits; null or absent where nothing is limited. */
    rate?: RateTicket | null;
  }
}

/** Not counted: streams last long and are resumed by clients on their own, and a cancel gives capacity back. */
const uncounted: ReadonlySet<string> = new Set(['/v2/tasks/:id/events', '/v2/tasks/:id/cancel']);

/**
 * Counts the requests under /v2, after the token check and before anything is parsed. While Redis is away nobody is counted: what needs
 * Redis answers 503 by itself, and what does not is not refused for want of a counter.
 */
export function addRateLimitHook(
  fastify: FastifyInstance,
  limits: RateLimits,
  options: { readonly trustProxy: boolean; readonly onRefused: (error: AppError) => void },
): void {
  fastify.decorateRequest('rate', null);
  fastify.addHook('onRequest', async (request, reply) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    if (request.caller === null || route?.startsWith('/v2/') !== true || uncounted.has(route)) return;
    request.rate = new RateTicket(limits, subjectOf(request, options.trustProxy), reply.raw);
    try {
      await request.rate.takeRequest();
    } catch (error) {
      if (!(error instanceof AppError)) return;
      options.onRefused(error);
      sendError(reply, error);
      await reply;
    }
  });
}

/** The token where there is one, else the address. */
function subjectOf(request: FastifyRequest, trustProxy: boolean): string {
  if (request.caller?.startsWith('token:') === true) return request.caller;
  return `address:${clientAddress(request.raw.socket.remoteAddress ?? '', request.headers, trustProxy)}`;
}
