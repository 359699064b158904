import type { EngineAgent } from '../http/lean/lean-agent.js';
import type {
  CompletionWork,
  EngineAdapter,
  EngineEndpoint,
  EngineMetrics,
  EngineRequest,
  EngineSink,
  EngineStream,
} from '../engine-adapter.port.js';
import { answerWork, refuseUnsupported, streamWork, traceHeaders } from '../http/engine-work.js';
import { fetchText, parseAnswer, unreadable } from '../http/json-request.js';
import { embeddingsBody, readEmbeddings } from '../http/openai/openai-answers.js';
import { OpenAiStreamReader } from '../http/openai/openai-stream-reader.js';
import { readSamples, sumOf } from '../http/prometheus-text.js';
import type { EngineCall } from '../http/stream-request.js';
import { withoutStops } from '../http/without-stops.js';
import { chatBody, generateBody } from './tgi-request.js';
import { TgiStreamReader } from './tgi-stream-reader.js';

/**
 * Text Generation Inference: prompts through `POST /generate_stream`, conversations through its Messages API; and its sibling for embeddings,
 * Text Embeddings Inference, through `POST /v1/embeddings` (the native `/embed` doesn't say how many tokens it read).
 * https://huggingface.github.io/text-generation-inference/ · https://huggingface.co/docs/text-generation-inference/messages_api ·
 * https://huggingface.github.io/text-embeddings-inference/
 */
export class TgiAdapter implements EngineAdapter {
  readonly engine = 'tgi';

  constructor(private readonly agent: EngineAgent) {}

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const refusal = refuseUnsupported(this.engine, request, sink);
    if (refusal !== null) return refusal;
    const { work, model } = request;
    const call = (path: string, body: string): EngineCall => ({ endpoint, path, body, headers: traceHeaders(request) });
    switch (work.kind) {
      case 'completion':
        return this.complete(call, work, sink, signal);
      case 'embedding': {
        const read = (text: string) => readEmbeddings(text, work);
        return answerWork(this.agent, call('/v1/embeddings', embeddingsBody(model, work)), read, sink, signal);
      }
      case 'rerank':
        throw new Error('tgi has no reranking, and the table of capabilities says so');
    }
  }

  /** `POST /tokenize`; the sibling answers a list of lists. */
  async countTokens(
    endpoint: EngineEndpoint,
    _: string | undefined,
    text: string,
    signal: AbortSignal,
  ): Promise<number> {
    const body = JSON.stringify({ inputs: text });
    const answer = parseAnswer(await fetchText(this.agent, { endpoint, path: '/tokenize', body, headers: {} }, signal));
    if (!Array.isArray(answer)) throw unreadable('no tokens');
    const [first] = answer as unknown[];
    return Array.isArray(first) ? first.length : answer.length;
  }

  /** `GET /metrics`: https://huggingface.co/docs/text-generation-inference/reference/metrics */
  async metrics(endpoint: EngineEndpoint, signal: AbortSignal): Promise<EngineMetrics> {
    const call = { endpoint, path: '/metrics', body: null, headers: {} };
    const samples = readSamples(await fetchText(this.agent, call, signal));
    return {
      // It tells what a batch may take, not of how much.
      kvUsageRatio: null,
      running: sumOf(samples, 'tgi_batch_current_size'),
      waiting: sumOf(samples, 'tgi_queue_size'),
    };
  }

  private complete(
    call: (path: string, body: string) => EngineCall,
    work: CompletionWork,
    sink: EngineSink,
    signal: AbortSignal,
  ): EngineStream {
    // TGI puts out the stop text it met; clients are promised that it is no part of the output.
    const trimmed = withoutStops(sink, work.sampling?.stop);
    if ('messages' in work.input) {
      const chat = call('/v1/chat/completions', chatBody(work));
      return streamWork(this.agent, chat, new OpenAiStreamReader(trimmed, chat.endpoint, 'content'), signal);
    }
    const generate = call('/generate_stream', generateBody(work.input.prompt, work));
    return streamWork(this.agent, generate, new TgiStreamReader(trimmed, generate.endpoint), signal);
  }
}
