import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { expect } from 'vitest';
import { waitUntil } from './wait-until.js';

export interface StreamEvent {
  readonly id: number;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface ReadOptions {
  readonly lastEventId?: number | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly verbose?: boolean;
}

/** One reader of a task's event stream, over a connection of its own. */
export class SseClient {
  readonly events: StreamEvent[] = [];
  /** The stream as it came, without comments and `retry:`. */
  frames = '';
  /** Lines that are no event: heartbeats. */
  comments = 0;
  retries = 0;
  /** How the stream ended; null while it is open. */
  ended: 'whole' | 'cut' | null = null;
  private buffered = '';

  private constructor(
    private readonly request: ClientRequest,
    readonly response: IncomingMessage,
  ) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.push(chunk));
    response.on('end', () => (this.ended ??= response.complete ? 'whole' : 'cut'));
    response.on('error', () => (this.ended ??= 'cut'));
    response.on('close', () => (this.ended ??= response.complete ? 'whole' : 'cut'));
  }

  /** Follows a task. Rejects with status and body of any answer but a stream. */
  static read(baseUrl: string, taskId: string, options: ReadOptions = {}): Promise<SseClient> {
    const { lastEventId, headers, verbose } = options;
    const resume: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': `${lastEventId}` };
    const path = `/v2/tasks/${taskId}/events${verbose === true ? '?verbose=true' : ''}`;
    return SseClient.open(baseUrl + path, { headers: { ...headers, ...resume } });
  }

  /** Submits a task and reads its stream in the same round trip. */
  static post(baseUrl: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<SseClient> {
    const asked = { accept: 'text/event-stream', 'content-type': 'application/json', ...headers };
    return SseClient.open(`${baseUrl}/v2/tasks`, { method: 'POST', headers: asked, body: JSON.stringify(body) });
  }

  private static async open(
    url: string,
    { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string },
  ): Promise<SseClient> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(url, { method, headers, agent: false }, (response) => {
        if (response.statusCode === 200) {
          resolve(new SseClient(request, response));
          return;
        }
        textOf(response).then((text) => reject(new Error(`${response.statusCode} ${text}`)), reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  get tokens(): StreamEvent[] {
    return this.events.filter(({ event }) => event === 'token');
  }

  get lastId(): number {
    return this.events.at(-1)?.id ?? 0;
  }

  /** Stops reading; the connection stays. */
  pause(): void {
    this.response.pause();
  }

  resume(): void {
    this.response.resume();
  }

  /** Goes away. */
  close(): void {
    this.request.destroy();
  }

  async untilTokens(count: number): Promise<void> {
    await waitUntil(`${count} tokens, have ${this.tokens.length}`, () => this.tokens.length >= count);
  }

  async until(event: string, withinMs?: number): Promise<StreamEvent> {
    return waitUntil(
      `event ${event}`,
      () => {
        const found = this.events.find((seen) => seen.event === event);
        if (found === undefined && this.ended !== null)
          throw new Error(`the stream is over: ${this.frames.slice(-500)}`);
        return found;
      },
      withinMs,
    );
  }

  /** Resolves with all events once the server has ended the stream in good order. */
  async untilEnd(withinMs?: number): Promise<StreamEvent[]> {
    await waitUntil('the end of the stream', () => this.ended, withinMs).catch((error: unknown) => {
      throw new Error(`${String(error)}; it has: ${this.frames.slice(-500)}`, { cause: error });
    });
    if (this.ended !== 'whole') throw new Error(`the stream was cut after: ${this.frames.slice(-500)}`);
    return this.events;
  }

  private push(chunk: string): void {
    this.buffered += chunk;
    for (let end = this.buffered.indexOf('\n\n'); end >= 0; end = this.buffered.indexOf('\n\n')) {
      const block = this.buffered.slice(0, end + 2);
      this.buffered = this.buffered.slice(end + 2);
      this.take(block);
    }
  }

  private take(block: string): void {
    const match = /^id: (\d+)\nevent: (\w+)\ndata: ([^\r\n]*)\n\n$/.exec(block);
    if (match !== null) {
      this.frames += block;
      const data = JSON.parse(match[3] ?? '') as Record<string, unknown>;
      this.events.push({ id: Number(match[1]), event: match[2] ?? '', data });
    } else if (/^:.*\n\n$/.test(block)) this.comments += 1;
    else if (/^retry: \d+\n\n$/.test(block)) this.retries += 1;
    else throw new Error(`not a frame of the contract: ${JSON.stringify(block)}`);
  }
}

/**
 * The promises that hold for every whole stream: `started` first, ids that grow, tokens counted from 0 without gaps or repeats, and exactly
 * one terminal event, which is the last. Gives the terminal event.
 */
export function expectWholeStream(events: readonly StreamEvent[]): StreamEvent {
  expect(events[0]).toMatchObject({ id: 1, event: 'started' });
  expect(events.filter(({ event }) => event === 'started')).toHaveLength(1);
  expectGrowingIds(events);
  const tokens = events.filter(({ event }) => event === 'token');
  expect(tokens.map(({ data }) => data['i'])).toEqual(tokens.map((_, index) => index));
  const terminal = events.filter(({ event }) => event === 'end' || event === 'error');
  expect(terminal).toHaveLength(1);
  expect(terminal[0]).toBe(events.at(-1));
  return terminal[0] as StreamEvent;
}

export function expectGrowingIds(events: readonly StreamEvent[]): void {
  const ids = events.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
}
