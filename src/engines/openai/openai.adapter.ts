import type { EngineAgent } from '../http/lean/lean-agent.js';
import type {
  CompletionWork,
  EngineAdapter,
  EngineEndpoint,
  EngineRequest,
  EngineSink,
  EngineStream,
} from '../engine-adapter.port.js';
import { responseFormat } from '../http/openai/openai-body.js';
import { submitOpenAi } from '../http/openai/openai-work.js';

/**
 * Any server of OpenAI's API, by nothing but what its reference documents: https://platform.openai.com/docs/api-reference
 * The base URL may end in the version (`https://api.openai.com/v1`) or not.
 */
export class OpenAiAdapter implements EngineAdapter {
  readonly engine = 'openai';

  constructor(private readonly agent: EngineAgent) {}

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    return submitOpenAi(this.agent, this, { endpoint, request, sink, signal });
  }

  fieldsBeside({ sampling }: CompletionWork): Readonly<Record<string, unknown>> {
    return { response_format: responseFormat(sampling?.json_schema) };
  }
}
