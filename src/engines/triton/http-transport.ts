import type { EngineAgent } from '../http/lean/lean-agent.js';
import type { EngineEndpoint, EngineStream } from '../engine-adapter.port.js';
import { streamWork, traceHeaders } from '../http/engine-work.js';
import { fetchText, parseAnswer } from '../http/json-request.js';
import type { TritonJob, TritonTransport } from './triton-transport.js';
import { TritonStreamReader } from './triton-stream-reader.js';

/** Triton by HTTP: `GET /v2/models/{m}` and `POST /v2/models/{m}/generate_stream`. */
export class HttpTransport implements TritonTransport {
  constructor(private readonly agent: EngineAgent) {}

  async describe(endpoint: EngineEndpoint, model: string, signal: AbortSignal): Promise<unknown> {
    const call = { endpoint, path: pathOf(model), body: null, headers: {} };
    return parseAnswer(await fetchText(this.agent, call, signal));
  }

  run({ endpoint, request, modelName, inputs, output, signal }: TritonJob): EngineStream {
    const call = {
      endpoint,
      path: `${pathOf(modelName)}/generate_stream`,
      body: JSON.stringify({ id: request.taskId, ...Object.fromEntries(inputs) }),
      headers: traceHeaders(request),
    };
    return streamWork(this.agent, call, new TritonStreamReader(output, endpoint), signal);
  }
}

function pathOf(model: string): string {
  return `/v2/models/${encodeURIComponent(model)}`;
}
