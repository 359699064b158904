import { Agent } from 'undici';
import type { EngineAdapter, EngineEndpoint, EngineRequest, EngineSink, EngineStream } from '../engine-adapter.port.js';
import { streamRequest } from '../http/stream-request.js';
import { llamacppErrorOf } from './llamacpp-error.js';
import { LlamacppStreamReader } from './llamacpp-stream-reader.js';
import { completionBody } from './llamacpp-request.js';

/**
 * llama.cpp's server through its native `POST /completion`, and our engine host, which speaks the same.
 * https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
 */
export class LlamacppAdapter implements EngineAdapter {
  readonly engine = 'llamacpp';

  constructor(private readonly agent: Agent) {}

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const reader = new LlamacppStreamReader(sink);
    return streamRequest(
      this.agent,
      {
        endpoint,
        path: '/completion',
        body: completionBody(request),
        headers: { 'x-correlation-id': request.correlationId },
      },
      {
        onData: (chunk) => reader.push(chunk),
        onEnd: () => reader.finish(),
        onFailure: (error) => reader.fail(error),
        errorOf: (status, body) => llamacppErrorOf(status, body, endpoint),
      },
      signal,
    );
  }
}
