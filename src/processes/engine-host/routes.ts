import type { ServerResponse } from 'node:http';
import { ApiError, invalidRequest } from './api-error.js';
import { ChatReply } from './chat-reply.js';
import { parseChatRequest, parseMessages } from './chat-request.js';
import { CompletionReply } from './completion-reply.js';
import { parseCompletionRequest, parseRequestParams, type RequestParams } from './completion-request.js';
import { type HostIdentity, modelsDocument, propsDocument, slotDocument } from './documents.js';
import type { Engine } from './engine.js';
import { booleanField, type JsonObject, parseJsonObject, stringField, wrongType } from './fields.js';
import { Generation, type GenerationListener } from './generation.js';
import type { Metrics } from './metrics.js';
import { sendJson } from './reply.js';
import type { Scheduler } from './scheduler.js';

type Handler = (body: string, response: ServerResponse) => Promise<void> | void;

const embeddingPaths = ['POST /embedding', 'POST /embeddings', 'POST /v1/embeddings'];
const rerankPaths = ['POST /rerank', 'POST /reranking', 'POST /v1/rerank', 'POST /v1/reranking'];

/** What llama-server says that was not started for it. */
function refuse(what: 'embeddings' | 'reranking'): Handler {
  return () => {
    throw new ApiError(
      'not_supported_error',
      `This server does not support ${what}: use a llama-server that was started with --${what}`,
    );
  };
}

/**
 * llama-server's endpoints over one engine.
 * Source of all shapes: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
 */
export class Routes {
  private readonly table: ReadonlyMap<string, Handler>;
  private readonly createdSeconds = Math.floor(Date.now() / 1000);
  private generations = 0;

  constructor(
    private readonly engine: Engine,
    private readonly scheduler: Scheduler,
    private readonly metrics: Metrics,
    private readonly identity: HostIdentity,
  ) {
    this.table = new Map<string, Handler>([
      ['GET /health', (_, response) => sendJson(response, { status: 'ok' })],
      ['GET /props', (_, response) => this.props(response)],
      ['GET /slots', (_, response) => this.slots(response)],
      ['GET /metrics', (_, response) => this.prometheus(response)],
      ['GET /v1/models', (_, response) => this.models(response)],
      ['GET /models', (_, response) => this.models(response)],
      ['POST /tokenize', (body, response) => this.tokenize(parseJsonObject(body), response)],
      ['POST /detokenize', (body, response) => this.detokenize(parseJsonObject(body), response)],
      ['POST /apply-template', (body, response) => this.applyTemplate(parseJsonObject(body), response)],
      ['POST /completion', (body, response) => this.completion(parseJsonObject(body), response)],
      ['POST /v1/chat/completions', (body, response) => this.chat(parseJsonObject(body), response)],
      ...embeddingPaths.map((path): [string, Handler] => [path, refuse('embeddings')]),
      ...rerankPaths.map((path): [string, Handler] => [path, refuse('reranking')]),
    ]);
  }

  find(method: string, url: URL): Handler | undefined {
    return this.table.get(`${method} ${url.pathname}`) ?? this.findSlotAction(method, url);
  }

  private findSlotAction(method: string, url: URL): Handler | undefined {
    const id = /^\/slots\/(\d+)$/.exec(url.pathname)?.[1];
    if (method !== 'POST' || id === undefined) return undefined;
    return (_, response) => {
      const slot = this.scheduler.slots[Number(id)];
      if (slot === undefined) throw invalidRequest('Invalid slot ID');
      if (url.searchParams.get('action') !== 'erase') throw invalidRequest('Invalid action');
      sendJson(response, { id_slot: slot.id, n_erased: slot.erase() });
    };
  }

  private props(response: ServerResponse): void {
    const defaults = parseRequestParams({});
    sendJson(response, propsDocument(this.engine, this.scheduler.slots.length, this.identity, defaults));
  }

  private slots(response: ServerResponse): void {
    sendJson(
      response,
      this.scheduler.slots.map((slot) => slotDocument(slot, this.engine.slotContext)),
    );
  }

  private models(response: ServerResponse): void {
    sendJson(response, modelsDocument(this.engine, this.identity, this.createdSeconds));
  }

  private prometheus(response: ServerResponse): void {
    const text = this.metrics.render(this.scheduler.busyCount, this.scheduler.waitingCount);
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4', 'Content-Length': Buffer.byteLength(text) });
    response.end(text);
  }

  private tokenize(body: JsonObject, response: ServerResponse): void {
    const content = stringField(body, 'content', '');
    const parseSpecial = booleanField(body, 'parse_special', true);
    const found = content === '' ? [] : this.engine.model.tokenize(content, parseSpecial);
    const { bos, shouldPrependBosToken } = this.engine.model.tokens;
    const needsBegin = booleanField(body, 'add_special', false) && shouldPrependBosToken && bos !== null;
    const tokens = needsBegin ? [bos, ...found] : found;
    const pieces = booleanField(body, 'with_pieces', false);
    sendJson(response, { tokens: pieces ? tokens.map((id) => ({ id, piece: this.piece(id) })) : tokens });
  }

  /** Text, or the bytes of a piece that holds a part of a character. */
  private piece(token: number): string | number[] {
    const bytes = this.engine.tokenText.spelledBytes(token);
    const text = bytes.toString();
    return Buffer.from(text).equals(bytes) ? text : [...bytes];
  }

  private detokenize(body: JsonObject, response: ServerResponse): void {
    const tokens = body['tokens'] ?? [];
    if (!Array.isArray(tokens)) throw wrongType('tokens', 'array', tokens);
    const isToken = (token: unknown): token is number => Number.isInteger(token);
    if (!tokens.every(isToken)) throw invalidRequest('"tokens" must hold token ids only');
    sendJson(response, { content: this.engine.detokenize(tokens) });
  }

  private applyTemplate(body: JsonObject, response: ServerResponse): void {
    sendJson(response, { prompt: this.engine.renderChat(parseMessages(body)) });
  }

  private async completion(body: JsonObject, response: ServerResponse): Promise<void> {
    const { prompt, params } = parseCompletionRequest(body);
    const tokens = this.engine.tokenizePrompt(prompt);
    const reply = new CompletionReply(response, {
      modelName: this.identity.modelName,
      promptText: () => this.engine.detokenize(tokens),
      isStream: params.isStream,
      returnTokens: params.returnTokens,
    });
    await this.generate(tokens, params, reply, response);
  }

  private async chat(body: JsonObject, response: ServerResponse): Promise<void> {
    const { messages, params, includeUsage } = parseChatRequest(body);
    const tokens = this.engine.tokenizePrompt([this.engine.renderChat(messages)]);
    const reply = new ChatReply(response, {
      modelName: this.identity.modelName,
      buildInfo: this.identity.buildInfo,
      isStream: params.isStream,
      includeUsage,
    });
    await this.generate(tokens, params, reply, response);
  }

  private async generate(
    tokens: readonly number[],
    params: RequestParams,
    reply: GenerationListener & { generation: Generation | undefined },
    response: ServerResponse,
  ): Promise<void> {
    this.engine.requireRoomFor(tokens.length);
    const sampler = await this.engine.createSampler(params, tokens);
    const generation = new Generation(this.generations, tokens, params, sampler, reply);
    this.generations += 1;
    reply.generation = generation;
    if (response.destroyed) {
      sampler.dispose();
      return;
    }
    response.once('close', () => {
      if (!response.writableFinished) this.scheduler.abort(generation);
    });
    this.scheduler.submit(generation);
  }
}
