import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalidParams } from '../errors/app-error.js';
import { unstorable } from './storable.js';

/**
 * JSON is the only body: other content types are 415. An empty body is no body, so that a POST without one may keep its content type.
 * `__proto__` keys, bytes that are not UTF-8 and what cannot be stored are refused here, for every route.
 */
export function acceptJsonOnly(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body: Buffer, done) => {
      if (body.length === 0) {
        done(null, undefined);
        return;
      }
      if (!isUtf8(body)) {
        done(invalidParams([{ field: 'body', problem: 'is not UTF-8' }]), undefined);
        return;
      }
      void parse(request, body.toString('utf8'), (error: Error | null, value?: unknown) => {
        if (error !== null) {
          done(invalidParams([{ field: 'body', problem: reasonOf(error) }]), undefined);
          return;
        }
        const detail = unstorable(value);
        if (detail === null) done(null, value);
        else done(invalidParams([detail]), undefined);
      });
    },
  );
}

/** V8's messages quote the text around the fault, which may be a prompt: keep the place, drop the quote. */
function reasonOf(error: Error): string {
  if (error.message.includes('prototype')) return 'holds a forbidden key ("__proto__" or "constructor.prototype")';
  const place = /position (\d+)/.exec(error.message)?.[1];
  return place === undefined ? 'is not valid JSON' : `is not valid JSON: see character ${place}`;
}
