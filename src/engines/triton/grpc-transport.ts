import {
  defaultMaxLineBytes,
  type EngineEndpoint,
  type EngineRequest,
  type EngineStream,
} from '../engine-adapter.port.js';
import { traceHeaders } from '../http/engine-work.js';
import { InferenceService } from '../inference-service.js';
import { grpcErrorOf } from './grpc-errors.js';
import { inferRequest } from './grpc-messages.js';
import { GrpcStream } from './grpc-stream.js';
import type { TritonJob, TritonTransport } from './triton-transport.js';

/** Triton by gRPC: `ModelMetadata` and `ModelStreamInfer`, all streams to one address over one connection. */
export class GrpcTransport implements TritonTransport {
  private readonly services = new Map<string, InferenceService>();

  async describe(endpoint: EngineEndpoint, model: string): Promise<unknown> {
    try {
      const service = await this.serviceAt(endpoint);
      return await service.ask('ModelMetadata', { name: model }, keyHeaders(endpoint), endpoint.timeouts.idleMs);
    } catch (error) {
      throw grpcErrorOf(error, endpoint, false);
    }
  }

  run(job: TritonJob): EngineStream {
    const { endpoint, request, model, modelName, inputs } = job;
    // It was described before, over the same connection.
    const service = this.services.get(keyOf(endpoint));
    if (service === undefined) throw new Error('a model is described before it runs');
    const message = inferRequest(model, modelName, request.taskId, inputs);
    return new GrpcStream(service, headersOf(endpoint, request), message, job);
  }

  close(): void {
    for (const service of this.services.values()) service.close();
    this.services.clear();
  }

  private async serviceAt(endpoint: EngineEndpoint): Promise<InferenceService> {
    const key = keyOf(endpoint);
    const known = this.services.get(key);
    if (known !== undefined) return known;
    const service = await InferenceService.at(endpoint.url, endpoint.maxLineBytes ?? defaultMaxLineBytes);
    const meanwhile = this.services.get(key);
    if (meanwhile !== undefined) {
      service.close();
      return meanwhile;
    }
    this.services.set(key, service);
    return service;
  }
}

function keyOf({ url, maxLineBytes }: EngineEndpoint): string {
  return `${url} ${maxLineBytes ?? defaultMaxLineBytes}`;
}

function keyHeaders({ apiKey }: EngineEndpoint): Record<string, string> {
  return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey.reveal()}` };
}

function headersOf(endpoint: EngineEndpoint, request: EngineRequest): Record<string, string> {
  // With the last, errors come with a status of their own and not as texts in the stream (Triton 24.08 and newer).
  return { ...keyHeaders(endpoint), ...traceHeaders(request), triton_grpc_error: 'true' };
}
