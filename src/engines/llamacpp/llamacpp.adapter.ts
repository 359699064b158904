import { Agent } from 'undici';
import {
  EngineError,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineHealth,
  type EngineProps,
  type EngineRequest,
  type EngineSink,
  type EngineStream,
} from '../engine-adapter.port.js';
import { lookAtEngine, type EngineLook } from '../engine-probe.js';
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

  async health(endpoint: EngineEndpoint): Promise<EngineHealth> {
    const look = await this.look(endpoint);
    return { live: look.kind !== 'dead', ready: look.kind === 'ready', detail: look.kind === 'ready' ? null : look.detail };
  }

  async props(endpoint: EngineEndpoint): Promise<EngineProps> {
    const look = await this.look(endpoint);
    if (look.kind !== 'ready') throw new EngineError('REPLICA_EXHAUSTED', look.detail);
    const { engineVersion, ctxMax, slots, modelName } = look;
    return { engineVersion, ctxMax, slots, modelName };
  }

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const reader = new LlamacppStreamReader(sink);
    return streamRequest(
      this.agent,
      { endpoint, path: '/completion', body: completionBody(request), headers: { 'x-correlation-id': request.correlationId } },
      {
        onData: (chunk) => reader.push(chunk),
        onEnd: () => reader.finish(),
        onFailure: (error) => reader.fail(error),
        errorOf: (status, body) => llamacppErrorOf(status, body, endpoint),
      },
      signal,
    );
  }

  private look(endpoint: EngineEndpoint): Promise<EngineLook> {
    return lookAtEngine(this.engine, endpoint.url, endpoint.timeouts.connectMs);
  }
}
