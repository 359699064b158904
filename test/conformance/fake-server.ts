import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { within } from '../support/wait-until.js';

/** What the engine answers. */
export interface Answer {
  readonly status?: number;
  readonly type?: string;
  /** Each is sent as an HTTP chunk of its own. */
  readonly pieces?: readonly (string | Buffer)[];
  /** What comes after the pieces: a good end, a broken connection, or nothing. */
  readonly after?: 'end' | 'cut' | 'stall';
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An engine that answers whatever a test says. */
export class FakeServer {
  /** What it was asked since the last `answers`. */
  asked: Asked[] = [];
  /** Answered to any request for a path that ends so, beside what `answers` says, and not counted as asked. */
  documents: Readonly<Record<string, unknown>> = {};
  private answer: Answer = {};
  private hungUp: Promise<void> = Promise.resolve();
  private sent: Promise<void> = Promise.resolve();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<FakeServer> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    const fake = new FakeServer(server);
    server.on('request', (request, response) => {
      void text(request)
        .catch(() => '')
        .then((body) => {
          const { method = '', url = '', headers } = request;
          if (fake.sendDocument(url, response)) return;
          fake.asked.push({ method, path: url, headers, body });
          fake.send(response);
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From the next request on. */
  answers(answer: Answer): void {
    this.answer = answer;
    this.asked = [];
  }

  /** Resolves when the client has closed the connection of the last request. */
  untilHungUp(): Promise<void> {
    return within('the connection to be closed', this.hungUp);
  }

  /** Resolves when all pieces of the last answer are on their way. */
  untilSent(): Promise<void> {
    return within('the answer to be sent', this.sent);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private sendDocument(path: string, response: ServerResponse): boolean {
    const found = Object.entries(this.documents).find(([end]) => path.endsWith(end));
    if (found === undefined) return false;
    const [, document] = found;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(typeof document === 'string' ? document : JSON.stringify(document));
    return true;
  }

  private send(response: ServerResponse): void {
    const { status = 200, type = 'text/event-stream', pieces = [], after = 'end' } = this.answer;
    this.hungUp = new Promise((resolve) => void response.once('close', resolve));
    response.writeHead(status, { 'content-type': type, 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    this.sent = new Promise((resolve) => {
      const done = (): void => {
        if (after === 'cut') response.destroy();
        resolve();
      };
      if (pieces.length === 0) setImmediate(done);
      pieces.forEach((piece, index) => response.write(piece, index === pieces.length - 1 ? done : () => undefined));
    });
    if (after === 'end') response.end();
  }
}
