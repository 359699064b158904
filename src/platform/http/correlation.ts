import type { IncomingMessage } from 'node:http';
import { newUuid } from '../ids/uuid.js';

export const correlationHeader = 'X-Correlation-Id';

const echoable = /^[\x21-\x7e]{1,128}$/;

/** The id a request is known by in answers and logs: its own when it is short visible ASCII (safe in a header and a log line), else a fresh one. */
export function correlationIdOf(request: IncomingMessage): string {
  const own = request.headers['x-correlation-id'];
  return typeof own === 'string' && echoable.test(own) ? own : newUuid();
}
