import type { ServerResponse } from 'node:http';
import { ApiError } from './api-error.js';

/** Sends a JSON document with its length, as llama-server does. */
export function sendJson(response: ServerResponse, document: unknown, status = 200): void {
  const body = Buffer.from(JSON.stringify(document));
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': body.length });
  response.end(body);
}

export function sendError(response: ServerResponse, error: unknown): void {
  const known = error instanceof ApiError ? error : new ApiError('server_error', 'internal error');
  if (response.headersSent) response.destroy();
  else sendJson(response, known.body, known.status);
}

/** Server-sent events whose headers go out together with the first frame. */
export class EventStream {
  constructor(private readonly response: ServerResponse) {}

  /** `json` is one line of JSON, or a bare word such as [DONE]. */
  send(json: string): void {
    this.open();
    this.response.write(`data: ${json}\n\n`);
  }

  end(lastJson: string): void {
    this.open();
    this.response.end(`data: ${lastJson}\n\n`);
  }

  /** An error after the first frame is a frame of its own, after which the stream closes. */
  fail(error: ApiError): void {
    if (this.response.headersSent) this.response.end(`data: ${JSON.stringify(error.body)}\n\n`);
    else sendError(this.response, error);
  }

  private open(): void {
    if (this.response.headersSent) return;
    this.response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
  }
}
