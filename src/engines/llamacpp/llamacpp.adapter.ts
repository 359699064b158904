import { Agent } from 'undici';
import { EngineError } from '../engine-adapter.port.js';
import type { EngineAdapter, EngineEndpoint, EngineRequest, EngineSink, EngineStream } from '../engine-adapter.port.js';
import { unsupported } from '../engine-capabilities.js';
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
    const { work, model } = request;
    if (work.kind !== 'completion' || !('prompt' in work.input)) {
      sink.onError(
        new EngineError('INVALID_PARAMS', unsupported(this.engine, work) ?? 'The engine takes prompts only.'),
      );
      return { pause: () => undefined, resume: () => undefined };
    }
    const reader = new LlamacppStreamReader(sink);
    return streamRequest(
      this.agent,
      {
        endpoint,
        path: '/completion',
        body: completionBody(model, work.input.prompt, work),
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
