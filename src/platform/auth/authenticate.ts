import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../errors/app-error.js';
import { foreignSite, isLocalClient } from './loopback.js';

/** Who may come in. */
export interface AuthPolicy {
  /** SHA-256 of the token, or null when the server has none. */
  readonly tokenDigest: Buffer | null;
  readonly isOptionalOnLoopback: boolean;
  readonly trustProxy: boolean;
  /** The host the server is bound to. */
  readonly ownHost: string;
  /** Origins whose pages may use the loopback exemption. Never holds `*`: any site could then act for the user of this machine. */
  readonly trustedOrigins: ReadonlySet<string>;
}

/** `token:<fingerprint>` or `localhost`: the name of a client in logs. */
export type Identity = `token:${string}` | 'localhost';

/**
 * The same client in full, for keys that must not collide: `token:<sha256 of the token, hex>` or `localhost`. Never shown and never stored as
 * it is: hash it with what it is used for.
 */
export type Caller = `token:${string}` | 'localhost';

export type AuthOutcome =
  | { readonly allowed: true; readonly identity: Identity; readonly caller: Caller }
  | { readonly allowed: false; readonly error: AppError };

export function digestOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** A token must be right wherever it is given; where none is given, a client on this machine may come in if the policy says so. */
export function authenticate(remoteAddress: string, headers: IncomingHttpHeaders, policy: AuthPolicy): AuthOutcome {
  if (headers.authorization !== undefined) return checkToken(headers.authorization, policy);
  if (!policy.isOptionalOnLoopback || !isLocalClient(remoteAddress, headers, policy.trustProxy)) {
    return refused('MISSING_TOKEN', 'This server needs a token: send it as "Authorization: Bearer <token>".');
  }
  const reason = foreignSite(headers, policy.ownHost, policy.trustedOrigins);
  if (reason === null) return { allowed: true, identity: 'localhost', caller: 'localhost' };
  return refused(
    'MISSING_TOKEN',
    `Requests from this machine need no token, but not this one: ${reason}. Send "Authorization: Bearer <token>".`,
  );
}

function checkToken(authorization: string, policy: AuthPolicy): AuthOutcome {
  const token = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
  if (token === undefined) return refused('BAD_TOKEN', 'The Authorization header must be "Bearer <token>".');
  const digest = digestOf(token);
  // Digests have one length, and comparing them tells nothing about the token's first wrong character.
  if (policy.tokenDigest === null || !timingSafeEqual(digest, policy.tokenDigest)) {
    return refused('BAD_TOKEN', 'The token is not the one of this server.');
  }
  const hex = digest.toString('hex');
  return { allowed: true, identity: `token:${hex.slice(0, 6)}`, caller: `token:${hex}` };
}

function refused(code: 'MISSING_TOKEN' | 'BAD_TOKEN', message: string): AuthOutcome {
  return { allowed: false, error: new AppError(code, message) };
}
