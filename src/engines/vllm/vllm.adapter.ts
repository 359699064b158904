import type { EngineAgent } from '../http/lean/lean-agent.js';
import { serverRoot } from '../api-path.js';
import type {
  CompletionWork,
  EngineAdapter,
  EngineEndpoint,
  EngineMetrics,
  EngineRequest,
  EngineSink,
  EngineStream,
} from '../engine-adapter.port.js';
import { fetchText, parseAnswer, unreadable } from '../http/json-request.js';
import { responseFormat } from '../http/openai/openai-body.js';
import { submitOpenAi } from '../http/openai/openai-work.js';
import { meanOf, readSamples, sumOf } from '../http/prometheus-text.js';

/**
 * vLLM's server: OpenAI's API with fields of its own, and the rest at its root.
 * https://docs.vllm.ai/en/latest/serving/openai_compatible_server/ · https://docs.vllm.ai/en/latest/features/structured_outputs/
 */
export class VllmAdapter implements EngineAdapter {
  readonly engine = 'vllm';

  constructor(private readonly agent: EngineAgent) {}

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    return submitOpenAi(this.agent, this, { endpoint, request, sink, signal });
  }

  fieldsBeside({ sampling, cache }: CompletionWork, { taskId }: EngineRequest): Readonly<Record<string, unknown>> {
    const grammar = sampling?.grammar;
    return {
      top_k: sampling?.top_k,
      min_p: sampling?.min_p,
      repetition_penalty: sampling?.repeat_penalty,
      response_format: responseFormat(sampling?.json_schema),
      structured_outputs: grammar === undefined ? undefined : { grammar },
      // Its name before 0.11. Those servers would drop the new one without a word; newer ones pass over this.
      guided_grammar: grammar,
      // The prefix cache answers only prompts of the same salt: https://docs.vllm.ai/en/latest/design/prefix_caching/
      cache_salt: cache === 'cold' ? taskId : undefined,
    };
  }

  /** `POST /tokenize`: https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#tokenizer-api */
  async countTokens(
    endpoint: EngineEndpoint,
    model: string | undefined,
    text: string,
    signal: AbortSignal,
  ): Promise<number> {
    const body = JSON.stringify({ model, prompt: text });
    const call = { endpoint: atRoot(endpoint), path: '/tokenize', body, headers: {} };
    const answer = parseAnswer(await fetchText(this.agent, call, signal));
    const count = (answer as { count?: unknown } | null)?.count;
    if (typeof count !== 'number') throw unreadable('no count of tokens');
    return count;
  }

  /** `GET /metrics`: https://docs.vllm.ai/en/latest/usage/metrics/. With several engines in one server, their mean and their sums. */
  async metrics(endpoint: EngineEndpoint, signal: AbortSignal): Promise<EngineMetrics> {
    const call = { endpoint: atRoot(endpoint), path: '/metrics', body: null, headers: {} };
    const samples = readSamples(await fetchText(this.agent, call, signal));
    return {
      // The second is its name before 0.10.
      kvUsageRatio: meanOf(samples, 'vllm:kv_cache_usage_perc') ?? meanOf(samples, 'vllm:gpu_cache_usage_perc'),
      running: sumOf(samples, 'vllm:num_requests_running'),
      waiting: sumOf(samples, 'vllm:num_requests_waiting'),
    };
  }
}

function atRoot(endpoint: EngineEndpoint): EngineEndpoint {
  return { ...endpoint, url: serverRoot(endpoint.url) };
}
