import type { ServerResponse } from 'node:http';
import type { ApiError } from './api-error.js';
import { generationSettings, timingsDocument } from './documents.js';
import type { Generation, GenerationListener } from './generation.js';
import { EventStream, sendError, sendJson } from './reply.js';

/**
 * Answers `POST /completion`: a frame per token and a final one, or a single document.
 * Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md ("POST /completion").
 */
export class CompletionReply implements GenerationListener {
  generation: Generation | undefined;
  private readonly stream: EventStream;
  private text = '';
  private readonly tokens: number[] = [];

  constructor(
    private readonly response: ServerResponse,
    private readonly options: { modelName: string; promptText(): string; isStream: boolean; returnTokens: boolean },
  ) {
    this.stream = new EventStream(response);
  }

  token(text: string, token: number): void {
    const { generation } = this;
    if (generation === undefined) return;
    if (!this.options.isStream) {
      this.text += text;
      if (this.options.returnTokens) this.tokens.push(token);
      return;
    }
    this.stream.send(
      `{"index":0,"content":${JSON.stringify(text)},"tokens":[${token}],"stop":false,"id_slot":-1,` +
        `"tokens_predicted":${generation.decodedTokens},"tokens_evaluated":${generation.promptTokens.length}}`,
    );
  }

  ended(): void {
    const document = this.finalDocument();
    if (this.options.isStream) this.stream.end(JSON.stringify(document));
    else sendJson(this.response, document);
  }

  failed(error: ApiError): void {
    if (this.options.isStream) this.stream.fail(error);
    else sendError(this.response, error);
  }

  private finalDocument(): Record<string, unknown> {
    const { generation } = this;
    if (generation === undefined) return {};
    const timings = generation.timings;
    return {
      index: 0,
      content: this.text,
      tokens: this.tokens,
      id_slot: generation.slotId,
      stop: true,
      model: this.options.modelName,
      tokens_predicted: generation.decodedTokens,
      tokens_evaluated: generation.promptTokens.length,
      generation_settings: generationSettings(generation.params),
      prompt: this.options.promptText(),
      has_new_line: generation.hasNewLine,
      truncated: generation.isTruncated,
      stop_type: generation.stopType,
      stopping_word: generation.stopWord,
      tokens_cached: generation.promptTokens.length + generation.decodedTokens - 1,
      timings: timingsDocument(timings),
    };
  }
}
