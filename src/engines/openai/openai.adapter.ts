import type { Agent } from 'undici';
import type { EngineAdapter, EngineEndpoint, EngineRequest, EngineSink, EngineStream } from '../engine-adapter.port.js';
import { apiPath } from '../api-path.js';
import { answerWork, refuseUnsupported, streamWork, traceHeaders } from '../http/engine-work.js';
import { embeddingsBody, readEmbeddings } from '../http/openai/openai-answers.js';
import { openAiBody, responseFormat } from '../http/openai/openai-body.js';
import { OpenAiStreamReader } from '../http/openai/openai-stream-reader.js';
import type { EngineCall } from '../http/stream-request.js';

/**
 * Any server of OpenAI's API, by nothing but what its reference documents: https://platform.openai.com/docs/api-reference
 * The base URL may end in the version (`https://api.openai.com/v1`) or not.
 */
export class OpenAiAdapter implements EngineAdapter {
  readonly engine = 'openai';

  constructor(private readonly agent: Agent) {}

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const refusal = refuseUnsupported(this.engine, request, sink);
    if (refusal !== null) return refusal;
    const { work, model } = request;
    const call = (path: string, body: string): EngineCall => ({
      endpoint,
      path: apiPath(endpoint.url, path),
      body,
      headers: traceHeaders(request),
    });
    if (work.kind === 'embedding') {
      const read = (text: string) => readEmbeddings(text, work);
      return answerWork(this.agent, call('/embeddings', embeddingsBody(model, work)), read, sink, signal);
    }
    if (work.kind === 'rerank') throw new Error('openai has no reranking, and the table of capabilities says so');
    const isChat = 'messages' in work.input;
    const schema = work.sampling?.json_schema;
    const body = openAiBody(model, work, { response_format: responseFormat(schema) });
    const reader = new OpenAiStreamReader(sink, endpoint, isChat ? 'content' : 'text');
    return streamWork(this.agent, call(isChat ? '/chat/completions' : '/completions', body), reader, signal);
  }
}
