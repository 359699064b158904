import type { EngineAgent } from '../http/lean/lean-agent.js';
import {
  EngineError,
  type CompletionWork,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineMetrics,
  type EngineRequest,
  type EngineSink,
  type EngineStream,
} from '../engine-adapter.port.js';
import { answerWork, refuseUnsupported, streamWork, traceHeaders } from '../http/engine-work.js';
import { fetchText, parseAnswer, unreadable } from '../http/json-request.js';
import { embeddingsBody, readEmbeddings, readScores, rerankBody } from '../http/openai/openai-answers.js';
import { OpenAiStreamReader } from '../http/openai/openai-stream-reader.js';
import { readSamples, sumOf } from '../http/prometheus-text.js';
import type { EngineCall } from '../http/stream-request.js';
import { LlamacppStreamReader } from './llamacpp-stream-reader.js';
import { chatBody, completionBody } from './llamacpp-request.js';
import { SessionSlots } from './session-slots.js';

/**
 * llama.cpp's server, and our engine host, which speaks the same: prompts through the native `POST /completion`, conversations through
 * `POST /v1/chat/completions`, embeddings through `POST /v1/embeddings` (the native `/embedding` doesn't say how many tokens it read), and
 * `POST /reranking`. https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
 */
export class LlamacppAdapter implements EngineAdapter {
  readonly engine = 'llamacpp';
  private readonly sessionSlots = new SessionSlots();

  constructor(private readonly agent: EngineAgent) {}

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const refusal = refuseUnsupported(this.engine, request, sink);
    if (refusal !== null) return refusal;
    const { work, model } = request;
    const call = (path: string, body: string): EngineCall => ({ endpoint, path, body, headers: traceHeaders(request) });
    switch (work.kind) {
      case 'completion':
        return this.complete(call, { endpoint, request, work, sink, signal });
      case 'embedding': {
        const read = (text: string) => readEmbeddings(text, work);
        return answerWork(this.agent, call('/v1/embeddings', embeddingsBody(model, work)), read, sink, signal);
      }
      case 'rerank': {
        const read = (text: string) => readScores(text, work);
        return answerWork(this.agent, call('/reranking', rerankBody(model, work)), read, sink, signal);
      }
    }
  }

  async countTokens(
    endpoint: EngineEndpoint,
    _model: string | undefined,
    text: string,
    signal: AbortSignal,
  ): Promise<number> {
    const body = JSON.stringify({ content: text, add_special: true });
    const answer = parseAnswer(await fetchText(this.agent, { endpoint, path: '/tokenize', body, headers: {} }, signal));
    const tokens = (answer as { tokens?: unknown } | null)?.tokens;
    if (!Array.isArray(tokens)) throw unreadable('no tokens');
    return tokens.length;
  }

  /**
   * Erases the slots that decoded the session's prompts last. Of conversations the server doesn't say which slot they had. Servers started
   * without `--slot-save-path` refuse it.
   */
  async evictSession(endpoint: EngineEndpoint, sessionId: string, signal: AbortSignal): Promise<boolean> {
    const slots = this.sessionSlots.of(endpoint.url, sessionId);
    for (const slot of slots) {
      const path = `/slots/${slot}?action=erase`;
      try {
        await fetchText(this.agent, { endpoint, path, body: '{}', headers: {} }, signal);
      } catch (error) {
        if (error instanceof EngineError && error.code === 'INVALID_PARAMS') return false;
        throw error;
      }
      this.sessionSlots.forget(endpoint.url, slot);
    }
    return slots.length > 0;
  }

  /** Servers started without `--metrics` refuse it. */
  async metrics(endpoint: EngineEndpoint, signal: AbortSignal): Promise<EngineMetrics> {
    const text = await fetchText(this.agent, { endpoint, path: '/metrics', body: null, headers: {} }, signal);
    const samples = readSamples(text);
    return {
      // Only in servers of before mid-2025.
      kvUsageRatio: sumOf(samples, 'llamacpp:kv_cache_usage_ratio'),
      running: sumOf(samples, 'llamacpp:requests_processing'),
      waiting: sumOf(samples, 'llamacpp:requests_deferred'),
    };
  }

  private complete(
    call: (path: string, body: string) => EngineCall,
    run: {
      readonly endpoint: EngineEndpoint;
      readonly request: EngineRequest;
      readonly work: CompletionWork;
      readonly sink: EngineSink;
      readonly signal: AbortSignal;
    },
  ): EngineStream {
    const { endpoint, request, work, sink, signal } = run;
    const { model, sessionId } = request;
    if ('messages' in work.input) {
      const reader = new OpenAiStreamReader(sink, endpoint, 'content');
      return streamWork(this.agent, call('/v1/chat/completions', chatBody(model, work)), reader, signal);
    }
    const onSlot = (slot: number): void => this.sessionSlots.note(endpoint.url, slot, sessionId);
    const reader = new LlamacppStreamReader(sink, endpoint, onSlot);
    return streamWork(this.agent, call('/completion', completionBody(model, work.input.prompt, work)), reader, signal);
  }
}
