import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ApiError, invalidRequest } from './api-error.js';
import type { Routes } from './routes.js';
import { sendError } from './reply.js';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Longer than clients keep idle connections, so that the client is the one who closes them. */
const KEEP_ALIVE_MS = 65_000;

/**
 * An HTTP server that can listen before the model is there: until `routes()` gives something, every request is
 * told 503 "Loading model".
 */
export function createHttpServer(routes: () => Routes | undefined, onBug: (error: unknown) => void): Server {
  const server = createServer((request, response) => {
    // A write that crosses the client's leaving fails here; the leaving itself is seen by `close`.
    response.on('error', () => undefined);
    void answer(request, response, routes()).catch((error: unknown) => {
      if (!(error instanceof ApiError)) onBug(error);
      sendError(response, error);
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, routes: Routes | undefined): Promise<void> {
  const body = request.method === 'POST' ? await readBody(request) : '';
  if (routes === undefined) throw new ApiError('unavailable_error', 'Loading model');
  const url = new URL(request.url ?? '/', 'http://host');
  const handler = routes.find(request.method ?? 'GET', url);
  if (handler === undefined) throw new ApiError('not_found_error', 'File Not Found');
  await handler(body, response);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw invalidRequest('the request body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
