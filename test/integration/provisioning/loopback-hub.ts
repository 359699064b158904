import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the hub and its store were asked, in order. */
export interface Asked {
  readonly at: 'hub' | 'store';
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** How the store misbehaves; fields are consumed as they act. */
export interface Faults {
  /** Cuts the connection after so many bytes, once for each entry. */
  dropAfter: number[];
  /** Answers with these statuses first, one each. */
  statuses: number[];
  ignoreRanges: boolean;
  etag: string;
  /** Digest the hub tells; undefined: the right one. */
  toldSha256: string | undefined;
  weakEtag: boolean;
  /** The store answers nothing until released. */
  held: Promise<void> | null;
  hubStatus: number | null;
  /** A Content-Length that is not true. */
  claimedBytes: number | null;
  /** Where the hub redirects to instead of the store. */
  redirectTo: string | null;
}

/** A model hub on the loopback: `resolve` URLs redirect to a store on another port, as the real one's do. */
export class LoopbackHub {
  readonly asked: Asked[] = [];
  readonly faults: Faults = {
    dropAfter: [],
    statuses: [],
    ignoreRanges: false,
    etag: '"one"',
    toldSha256: undefined,
    weakEtag: false,
    held: null,
    hubStatus: null,
    redirectTo: null,
    claimedBytes: null,
  };
  private constructor(
    private readonly hub: Server,
    private readonly store: Server,
    public content: Buffer,
  ) {}

  static async start(content: Buffer): Promise<LoopbackHub> {
    const hub = createServer();
    const store = createServer();
    await Promise.all([hub, store].map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))));
    const fixture = new LoopbackHub(hub, store, content);
    hub.on('request', (request, response) => fixture.answerHub(request, response));
    store.on('request', (request, response) => void fixture.answerStore(request, response));
    return fixture;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`;
  }

  get storeUrl(): string {
    return `http://127.0.0.1:${(this.store.address() as AddressInfo).port}`;
  }

  get sha256(): string {
    return createHash('sha256').update(this.content).digest('hex');
  }

  storeGets(): Asked[] {
    return this.asked.filter((entry) => entry.at === 'store');
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.store]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  private note(at: Asked['at'], request: IncomingMessage): void {
    this.asked.push({
      at,
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization,
      range: request.headers.range,
    });
  }

  private answerHub(request: IncomingMessage, response: ServerResponse): void {
    this.note('hub', request);
    if (this.faults.hubStatus !== null) {
      response.writeHead(this.faults.hubStatus).end();
      return;
    }
    const name = request.url?.split('/').at(-1) ?? '';
    response.writeHead(302, {
      location: this.faults.redirectTo ?? `${this.storeUrl}/blob/${name}?signature=secret`,
      'x-linked-etag': `"${this.faults.toldSha256 ?? this.sha256}"`,
      'x-linked-size': String(this.content.length),
    });
    response.end();
  }

  private async answerStore(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.note('store', request);
    if (this.faults.held !== null) await this.faults.held;
    const status = this.faults.statuses.shift();
    if (status !== undefined) {
      response.writeHead(status, { 'retry-after': '0' }).end();
      return;
    }
    const from = this.rangeStart(request);
    if (from !== null && from >= this.content.length) {
      response.writeHead(416, { 'content-range': `bytes */${this.content.length}` }).end();
      return;
    }
    this.sendFrom(from, response);
  }

  /** Sends the content from an offset; null: all of it. */
  private sendFrom(from: number | null, response: ServerResponse): void {
    const body = this.content.subarray(from ?? 0);
    const { weakEtag, etag, claimedBytes } = this.faults;
    const range = { 'content-range': `bytes ${from ?? 0}-${this.content.length - 1}/${this.content.length}` };
    response.writeHead(from === null ? 200 : 206, {
      'content-length': String(claimedBytes ?? body.length),
      etag: weakEtag ? `W/${etag}` : etag,
      ...(from === null ? {} : range),
    });
    const drop = this.faults.dropAfter.shift();
    if (drop === undefined) response.end(body);
    else this.dropAfter(response, body.subarray(0, drop));
  }

  private dropAfter(response: ServerResponse, sent: Buffer): void {
    response.flushHeaders();
    response.socket?.write(sent, () => response.socket?.destroySoon());
    if (sent.length === 0) response.socket?.destroySoon();
  }

  private rangeStart(request: IncomingMessage): number | null {
    const start = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    const condition = request.headers['if-range'];
    if (start === undefined || this.faults.ignoreRanges) return null;
    return condition === undefined || condition === this.faults.etag ? Number(start) : null;
  }
}
