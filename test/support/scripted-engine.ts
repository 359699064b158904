import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as bodyOf } from 'node:stream/consumers';
import { waitUntil, within } from './wait-until.js';

/** One piece of work that reached the engine: the test decides what comes of it. */
export class ScriptedRun {
  readonly path: string;
  /** The prompt of a completion; of other work its first text. */
  readonly prompt: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly correlationId: string | undefined;
  /** Tokens sent. */
  sent = 0;
  /** The engine's slot that does the work. */
  slot = 0;
  /** Whether the client has closed the connection before the answer's end: a real engine would free the slot now. */
  isHungUp = false;
  private isOver = false;
  private readonly hungUp: Promise<void>;

  constructor(
    private readonly response: ServerResponse,
    request: IncomingMessage,
    body: string,
  ) {
    this.body = JSON.parse(body) as Record<string, unknown>;
    this.path = String(request.url);
    this.prompt = firstText(this.body);
    this.correlationId = request.headers['x-correlation-id']?.toString();
    this.hungUp = new Promise((resolve) => {
      response.on('close', () => {
        if (!this.isOver) this.isHungUp = true;
        resolve();
      });
    });
  }

  /** Sends tokens, all in one write; their texts default to ` t0`, ` t1`, … */
  tokens(count: number, textOf: (index: number) => string = (index) => ` t${index}`): void {
    let frames = '';
    for (let n = 0; n < count; n++, this.sent++) {
      frames += frame({
        content: textOf(this.sent),
        stop: false,
        tokens_predicted: this.sent + 1,
        tokens_evaluated: 3,
        id_slot: this.slot,
      });
    }
    this.raw(frames);
  }

  /** Ends in good order. */
  end(stopType: 'eos' | 'limit' = 'eos'): void {
    this.raw(frame({ content: '', stop: true, stop_type: stopType, tokens_predicted: this.sent, tokens_evaluated: 3 }));
    this.isOver = true;
    this.response.end();
  }

  /** Sends tokens one by one, a turn of the event loop apart, until the client hangs up or `count` are out. */
  async flow(count = Number.POSITIVE_INFINITY): Promise<void> {
    while (this.sent < count && !this.isHungUp && !this.response.destroyed) {
      this.tokens(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Answers at once, in one piece. */
  answer(value: unknown): void {
    this.isOver = true;
    this.response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  }

  /** Streams the answer of a conversation, whole. */
  chat(texts: readonly string[]): void {
    const choice = (delta: object, finish_reason: string | null) => ({ choices: [{ index: 0, delta, finish_reason }] });
    for (const content of texts) this.raw(frame(choice({ content }, null)));
    this.raw(frame(choice({}, 'stop')));
    this.raw(frame({ choices: [], usage: { prompt_tokens: 9, completion_tokens: texts.length } }));
    this.raw('data: [DONE]\n\n');
    this.isOver = true;
    this.response.end();
  }

  /** Answers with a status and llama-server's error object. */
  refuse(status: number, message: string): void {
    this.isOver = true;
    const body = JSON.stringify({ error: { code: status, message, type: 'scripted' } });
    this.response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }

  /** Reports an error inside the stream that has begun. */
  breakInside(code: number, message: string): void {
    this.raw(frame({ error: { code, message, type: 'scripted' } }));
    this.isOver = true;
    this.response.end();
  }

  /** Sends bytes as they are. */
  raw(bytes: string): void {
    if (this.response.destroyed) return;
    if (!this.response.headersSent) this.response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.response.write(bytes);
  }

  /** Cuts the connection, as a dying engine does. */
  cut(): void {
    this.isOver = true;
    this.response.destroy();
  }

  /** Resolves when the client has hung up. */
  async untilHungUp(): Promise<void> {
    await within('the connection to the engine to be closed', this.hungUp);
  }
}

/** A server that speaks llama-server's dialect and decodes nothing: every token is sent by the test. */
export class ScriptedEngine {
  readonly runs: ScriptedRun[] = [];
  /** Called for each run as it arrives; without it the test picks runs up with `run`. */
  onRun: (run: ScriptedRun) => void = () => undefined;
  /** Slots whose cache it was asked to erase. */
  readonly erased: number[] = [];
  /** What `GET /health` answers. */
  health: 'ok' | 'loading' = 'ok';
  /** What `GET /props` says of its build. */
  version = 'b1-scripted';
  /** How it does at self-tests (engines/self-test.ts), which the test hears nothing of. */
  selfTest: 'passes' | 'fails' | 'stalls' = 'passes';
  /** Self-test requests that have come, and those that were broken off. */
  readonly selfTests = { asked: 0, brokenOff: 0 };
  /** What `GET /metrics` answers; null: it was started without. */
  metrics: string | null = null;
  private server: Server | null = null;
  private port = 0;

  private constructor(private readonly slots: number) {}

  static async start({ slots = 4 } = {}): Promise<ScriptedEngine> {
    const engine = new ScriptedEngine(slots);
    await engine.comeBack();
    return engine;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The run of a prompt, as soon as it has arrived. */
  async run(prompt: string): Promise<ScriptedRun> {
    return waitUntil(`a run of «${prompt}»`, () => this.runs.find((run) => run.prompt === prompt));
  }

  runsOf(prompt: string): ScriptedRun[] {
    return this.runs.filter((run) => run.prompt === prompt);
  }

  /** The process dies: nobody listens any more, and open connections break. */
  async die(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Listens, after `die` at the same address. */
  async comeBack(): Promise<void> {
    const server = createServer((request, response) => void this.answer(request, response));
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** A few tokens, or one of many until the client hangs up. */
  private takeSelfTest(run: ScriptedRun): void {
    this.selfTests.asked += 1;
    if (this.selfTest === 'stalls') return;
    if (this.selfTest === 'fails') return run.refuse(500, 'CUDA error');
    run.tokens(1);
    if (Number(run.body['n_predict']) <= 4) return run.end();
    void run.untilHungUp().then(() => {
      this.selfTests.brokenOff += 1;
    });
  }

  /** Whatever else there is at an engine. */
  private erase(url: string, json: (status: number, value: unknown) => void): void {
    const slot = /^\/slots\/(\d+)\?action=erase$/.exec(url)?.[1];
    if (slot === undefined) {
      json(404, { error: { code: 404, message: 'File Not Found', type: 'not_found_error' } });
      return;
    }
    this.erased.push(Number(slot));
    json(200, { id_slot: Number(slot), n_erased: 1 });
  }

  private tellMetrics(json: (status: number, value: unknown) => void, response: ServerResponse): void {
    if (this.metrics === null) json(501, { error: { code: 501, message: 'no metrics', type: 'not_supported_error' } });
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(this.metrics);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request).catch(() => '');
    const json = (status: number, value: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    switch (`${request.method} ${request.url}`) {
      case 'GET /health':
        if (this.health === 'ok') json(200, { status: 'ok' });
        else json(503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } });
        return;
      case 'GET /props':
        json(200, { default_generation_settings: { n_ctx: 8192 }, total_slots: this.slots, build_info: this.version });
        return;
      case 'GET /v1/models':
        json(200, { object: 'list', data: [] });
        return;
      case 'POST /completion':
      case 'POST /v1/chat/completions':
      case 'POST /v1/embeddings':
      case 'POST /reranking': {
        const run = new ScriptedRun(response, request, body);
        if (run.prompt === 'Hello') return this.takeSelfTest(run);
        run.slot = this.runs.length % this.slots;
        this.runs.push(run);
        this.onRun(run);
        return;
      }
      case 'GET /metrics':
        this.tellMetrics(json, response);
        return;
      default:
        this.erase(request.url ?? '', json);
    }
  }
}

function firstText({ prompt, messages, input, query }: Readonly<Record<string, unknown>>): string {
  const [message] = Array.isArray(messages) ? (messages as { readonly content: string }[]) : [];
  const [text] = Array.isArray(input) ? (input as string[]) : [];
  return String(prompt ?? message?.content ?? text ?? query);
}

function frame(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
