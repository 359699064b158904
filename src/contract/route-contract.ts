import type { z } from 'zod';
import type { ErrorCode } from './errors.js';

/** What a route answers when it does what it was asked. */
export interface RouteAnswer {
  readonly status: 200 | 201 | 202 | 204;
  readonly description: string;
  readonly body:
    | { readonly kind: 'json'; readonly schema: z.ZodType }
    | { readonly kind: 'events'; readonly events: Readonly<Record<string, z.ZodType>> }
    | { readonly kind: 'text' }
    | { readonly kind: 'none' };
  readonly headers?: Readonly<Record<string, string>>;
}

/** One route of the HTTP contract: the OpenAPI document is made of these, and a test holds them against what the server serves. */
export interface RouteContract {
  readonly operationId: string;
  readonly method: 'get' | 'post' | 'delete';
  /** With parameters as `{name}`. */
  readonly path: string;
  readonly tag: 'tasks' | 'sessions' | 'pools' | 'artifacts' | 'meta' | 'operations';
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Bodies to try, by name, where one would not show all there is. */
  readonly bodyExamples?: Readonly<Record<string, unknown>>;
  readonly answers: readonly RouteAnswer[];
  /** Codes beyond those any route may answer: a missing or wrong token, a store that is away, a fault of ours. */
  readonly errors: readonly ErrorCode[];
  /** Needs no token. */
  readonly isOpen?: boolean;
}
