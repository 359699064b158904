import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppConfig } from '../config/app-config.js';
import type { AppError } from '../errors/app-error.js';
import { authenticate, digestOf, type AuthPolicy, type Caller, type Identity } from './authenticate.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null only on the routes that need no token. */
    identity: Identity | null;
    /** The same, fit for keys; null with `identity`. */
    caller: Caller | null;
  }
}

/** Probes of an orchestrator carry no token. */
const openRoutes: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz']);

export function authPolicyOf(config: AppConfig): AuthPolicy {
  const { authToken } = config.secrets;
  return {
    tokenDigest: authToken === null ? null : digestOf(authToken.reveal()),
    isOptionalOnLoopback: config.auth.optional_on_loopback,
    trustProxy: config.auth.trust_proxy,
    ownHost: config.listen.host,
    trustedOrigins: new Set(config.server.cors_origins.filter((origin) => origin !== '*')),
  };
}

/**
 * Asks everybody who comes in, before anything is parsed: controllers, Swagger UI, Bull Board, metrics and unknown paths alike. A Nest guard
 * would not see the pages that are mounted beside Nest. The open routes are told by the route that matched, never by the text of the URL,
 * which has many spellings.
 */
export function addAuthHook(
  fastify: FastifyInstance,
  policy: AuthPolicy,
  refuse: (reply: FastifyReply, error: AppError) => void,
): void {
  fastify.decorateRequest('identity', null);
  fastify.decorateRequest('caller', null);
  fastify.addHook('onRequest', (request: FastifyRequest, reply, done) => {
    if (!request.is404 && openRoutes.has(request.routeOptions.url)) {
      done();
      return;
    }
    const outcome = authenticate(request.raw.socket.remoteAddress ?? '', request.headers, policy);
    if (outcome.allowed) {
      request.identity = outcome.identity;
      request.caller = outcome.caller;
      done();
      return;
    }
    refuse(reply, outcome.error);
  });
}
