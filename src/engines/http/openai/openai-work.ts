import type { EngineAgent } from '../lean/lean-agent.js';
import type { EngineId } from '../../../contract/common.js';
import { apiPath } from '../../api-path.js';
import type {
  CompletionWork,
  EngineEndpoint,
  EngineRequest,
  EngineSink,
  EngineStream,
} from '../../engine-adapter.port.js';
import { answerWork, refuseUnsupported, streamWork, traceHeaders } from '../engine-work.js';
import type { EngineCall } from '../stream-request.js';
import { embeddingsBody, readEmbeddings, readScores, rerankBody } from './openai-answers.js';
import { openAiBody } from './openai-body.js';
import { OpenAiStreamReader } from './openai-stream-reader.js';

/** What a server that speaks OpenAI's API has beyond it. */
export interface OpenAiDialect {
  readonly engine: EngineId;
  /** Fields of a completion that OpenAI's API lacks, or has for conversations only. */
  fieldsBeside(work: CompletionWork, request: EngineRequest): Readonly<Record<string, unknown>>;
}

/** Where a request goes, and who hears of it. */
export interface Run {
  readonly endpoint: EngineEndpoint;
  readonly request: EngineRequest;
  readonly sink: EngineSink;
  readonly signal: AbortSignal;
}

/**
 * Work of any kind by OpenAI's endpoints and, for rerankings, by the `/rerank` that has become the custom beside them. The base URL may name
 * the version or not. What the table of capabilities doesn't have of the engine is refused before anything is sent.
 */
export function submitOpenAi(agent: EngineAgent, dialect: OpenAiDialect, run: Run): EngineStream {
  const { endpoint, request, sink, signal } = run;
  const refusal = refuseUnsupported(dialect.engine, request, sink);
  if (refusal !== null) return refusal;
  const { work, model } = request;
  const call = (path: string, body: string): EngineCall => ({
    endpoint,
    path: apiPath(endpoint.url, path),
    body,
    headers: traceHeaders(request),
  });
  switch (work.kind) {
    case 'completion': {
      const isChat = 'messages' in work.input;
      const body = openAiBody(model, work, dialect.fieldsBeside(work, request));
      const reader = new OpenAiStreamReader(sink, endpoint, isChat ? 'content' : 'text');
      return streamWork(agent, call(isChat ? '/chat/completions' : '/completions', body), reader, signal);
    }
    case 'embedding': {
      const read = (text: string) => readEmbeddings(text, work);
      return answerWork(agent, call('/embeddings', embeddingsBody(model, work)), read, sink, signal);
    }
    case 'rerank': {
      const read = (text: string) => readScores(text, work);
      return answerWork(agent, call('/rerank', rerankBody(model, work)), read, sink, signal);
    }
  }
}
