import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError, invalidParams } from '../errors/app-error.js';
import { unstorable } from './storable.js';

/**
 * JSON is the only body: other content types are 415. An empty body is no body, so that a POST without one may keep its content type.
 * `__proto__` keys, bytes that are not UTF-8 and what cannot be stored are refused here, for every route.
 */
export function acceptJsonOnly(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body: Buffer, done) => {
      const encoding = request.headers['content-encoding'];
      const parsed = encoding === undefined || encoding === 'identity' ? parseJson(body) : compressed();
      if (parsed instanceof Error) done(parsed, undefined);
      else done(null, parsed.value);
    },
  );
}

/** Nothing is ever unpacked here, so nothing can swell. */
function compressed(): AppError {
  return new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body uncompressed, without Content-Encoding.');
}

function parseJson(body: Buffer): { readonly value: unknown } | AppError {
  if (body.length === 0) return { value: undefined };
  if (!isUtf8(body)) return invalidParams([{ field: 'body', problem: 'is not UTF-8' }]);
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    const detail = unstorable(value);
    return detail === null ? { value } : invalidParams([detail]);
  } catch (error) {
    return invalidParams([{ field: 'body', problem: reasonOf(error) }]);
  }
}

/** V8's messages quote the text around the fault, which may be a prompt: keep the place, drop the quote. */
function reasonOf(error: unknown): string {
  const place = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
  return place === undefined ? 'is not valid JSON' : `is not valid JSON: see character ${place}`;
}
