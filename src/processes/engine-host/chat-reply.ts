import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { ApiError } from './api-error.js';
import { timingsDocument } from './documents.js';
import type { Generation, GenerationListener } from './generation.js';
import { EventStream, sendError, sendJson } from './reply.js';

export interface ChatReplyOptions {
  modelName: string;
  buildInfo: string;
  isStream: boolean;
  includeUsage: boolean;
}

/** Answers `POST /v1/chat/completions` in OpenAI's chunks, with llama-server's `timings` beside the usage. */
export class ChatReply implements GenerationListener {
  generation: Generation | undefined;
  private readonly stream: EventStream;
  private readonly id = `chatcmpl-${randomBytes(16).toString('hex')}`;
  private readonly createdSeconds = Math.floor(Date.now() / 1000);
  private hasBegun = false;
  private text = '';

  constructor(
    private readonly response: ServerResponse,
    private readonly options: ChatReplyOptions,
  ) {
    this.stream = new EventStream(response);
  }

  token(text: string): void {
    if (!this.options.isStream) {
      this.text += text;
      return;
    }
    this.begin();
    if (text !== '') this.sendChoice({ content: text }, null);
  }

  ended(): void {
    if (!this.options.isStream) {
      const message = { role: 'assistant', content: this.text };
      const choices = [{ finish_reason: this.finishReason, index: 0, message }];
      sendJson(this.response, { ...this.envelope('chat.completion', choices), ...this.usage() });
      return;
    }
    this.begin();
    const { includeUsage } = this.options;
    this.sendChoice({}, this.finishReason, includeUsage ? {} : { timings: this.usage()['timings'] });
    if (includeUsage) {
      this.stream.send(JSON.stringify({ ...this.envelope('chat.completion.chunk', []), ...this.usage() }));
    }
    this.stream.end('[DONE]');
  }

  failed(error: ApiError): void {
    if (this.options.isStream) this.stream.fail(error);
    else sendError(this.response, error);
  }

  private get finishReason(): 'length' | 'stop' {
    return this.generation?.stopType === 'limit' ? 'length' : 'stop';
  }

  private begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.sendChoice({ role: 'assistant', content: null }, null);
  }

  private sendChoice(delta: Record<string, string | null>, finishReason: string | null, beside: object = {}): void {
    const choices = [{ finish_reason: finishReason, index: 0, delta }];
    this.stream.send(JSON.stringify({ ...this.envelope('chat.completion.chunk', choices), ...beside }));
  }

  private envelope(object: string, choices: readonly unknown[]): Record<string, unknown> {
    const { modelName, buildInfo } = this.options;
    const created = this.createdSeconds;
    return { choices, created, id: this.id, model: modelName, system_fingerprint: buildInfo, object };
  }

  private usage(): Record<string, unknown> {
    const { generation } = this;
    if (generation === undefined) return {};
    const { decodedTokens, promptTokens, cachedTokens, timings } = generation;
    return {
      usage: {
        completion_tokens: decodedTokens,
        prompt_tokens: promptTokens.length,
        total_tokens: decodedTokens + promptTokens.length,
        prompt_tokens_details: { cached_tokens: cachedTokens },
      },
      timings: timingsDocument(timings),
    };
  }
}
