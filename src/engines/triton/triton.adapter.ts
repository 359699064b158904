import type { EngineAgent } from '../http/lean/lean-agent.js';
import {
  EngineError,
  nothingToHold,
  type CompletionWork,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineRequest,
  type EngineSink,
  type EngineStream,
} from '../engine-adapter.port.js';
import { refuseUnsupported } from '../http/engine-work.js';
import { unreadable } from '../http/json-request.js';
import { withoutStops } from '../http/without-stops.js';
import { isGrpc } from '../inference-service.js';
import { GrpcTransport } from './grpc-transport.js';
import { HttpTransport } from './http-transport.js';
import { inputsOf } from './triton-inputs.js';
import { readModel, type TritonModel } from './triton-model.js';
import { TritonOutput } from './triton-output.js';
import type { TritonTransport } from './triton-transport.js';

/**
 * Triton Inference Server with a model on its vLLM or TensorRT-LLM backend; by gRPC where the URL begins with `grpc://` or `grpcs://`, else by
 * HTTP. What the model takes is asked once and kept until something goes wrong.
 */
export class TritonAdapter implements EngineAdapter {
  readonly engine = 'triton';
  private readonly http: HttpTransport;
  private readonly grpc = new GrpcTransport();
  private readonly models = new Map<string, TritonModel>();

  constructor(agent: EngineAgent) {
    this.http = new HttpTransport(agent);
  }

  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream {
    const refusal = refuseUnsupported(this.engine, request, sink);
    if (refusal !== null) return refusal;
    const { work } = request;
    if (work.kind !== 'completion' || !('prompt' in work.input)) throw new Error('triton has prompts only');
    const run = new DescribedRun();
    const { prompt } = work.input;
    const start = (model: TritonModel): void => {
      if (!signal.aborted) run.follow(this.start(endpoint, request, { work, prompt, model }, sink, signal));
    };
    const forget = (error: unknown): void => {
      if (signal.aborted) return;
      sink.onError(error instanceof EngineError ? error : unreadable('it can not be read'));
    };
    if (signal.aborted) return run;
    const known = this.models.get(keyOf(endpoint, request));
    if (known === undefined) this.describe(endpoint, request, signal).then(start).catch(forget);
    else start(known);
    return run;
  }

  /** Closes the connections that are kept; those by HTTP are the agent's. */
  close(): void {
    this.grpc.close();
  }

  private start(
    endpoint: EngineEndpoint,
    request: EngineRequest,
    { work, prompt, model }: { readonly work: CompletionWork; readonly prompt: string; readonly model: TritonModel },
    sink: EngineSink,
    signal: AbortSignal,
  ): EngineStream {
    const modelName = request.model ?? '';
    const forgetting: EngineSink = {
      onToken: (text) => sink.onToken(text),
      onPrompt: (tokensIn) => sink.onPrompt(tokensIn),
      onEnd: (usage) => sink.onEnd(usage),
      onError: (error) => {
        // Perhaps it is another model by now.
        this.models.delete(keyOf(endpoint, request));
        sink.onError(error);
      },
    };
    let inputs;
    try {
      inputs = inputsOf(model, modelName, prompt, work);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      forgetting.onError(error);
      return nothingToHold;
    }
    const tellsReason = inputs.has('return_finish_reason') && model.outputs.has('finish_reason');
    const output = new TritonOutput(withoutStops(forgetting, work.sampling?.stop), work.maxTokens, tellsReason);
    return this.transportTo(endpoint).run({ endpoint, request, model, modelName, inputs, output, signal });
  }

  private async describe(endpoint: EngineEndpoint, request: EngineRequest, signal: AbortSignal): Promise<TritonModel> {
    const answer = await this.transportTo(endpoint).describe(endpoint, request.model ?? '', signal);
    const model = readModel(answer);
    if (model === null) throw unreadable('no metadata of a model');
    this.models.set(keyOf(endpoint, request), model);
    return model;
  }

  private transportTo({ url }: EngineEndpoint): TritonTransport {
    return isGrpc(url) ? this.grpc : this.http;
  }
}

function keyOf({ url }: EngineEndpoint, { model }: EngineRequest): string {
  return `${url} ${model ?? ''}`;
}

/** A run that begins once its model is known; what was said to it before counts then. */
class DescribedRun implements EngineStream {
  private stream: EngineStream | null = null;
  private isPaused = false;

  follow(stream: EngineStream): void {
    this.stream = stream;
    if (this.isPaused) stream.pause();
  }

  pause(): void {
    this.isPaused = true;
    this.stream?.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.stream?.resume();
  }
}
