import type { ClientDuplexStream } from '@grpc/grpc-js';
import { EngineError, type EngineEndpoint, type EngineStream } from '../engine-adapter.port.js';
import { streamErrorOf } from '../http/engine-errors.js';
import type { GrpcMessage, InferenceService } from '../inference-service.js';
import { grpcErrorOf } from './grpc-errors.js';
import { isFinal, readResponse } from './grpc-messages.js';
import type { TritonOutput } from './triton-output.js';
import type { TritonJob } from './triton-transport.js';

/** A `ModelStreamInferResponse`. */
interface StreamInferResponse {
  readonly error_message?: string;
  readonly infer_response?: Parameters<typeof readResponse>[0];
}

/** How long a call may stay open when all that is wanted of it has come. */
const lastMessagesMs = 1000;

/**
 * One request on a `ModelStreamInfer` of its own, from its first to its final response. Aborting the signal cancels the call, which Triton
 * hands on to the backend as a cancelled request.
 * https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/decoupled_models.html ·
 * https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/request_cancellation.html
 */
export class GrpcStream implements EngineStream {
  private readonly call: ClientDuplexStream<object, object>;
  private readonly silence: NodeJS.Timeout;

  private patience: NodeJS.Timeout | null = null;
  private readonly output: TritonOutput;
  private readonly endpoint: EngineEndpoint;
  private readonly signal: AbortSignal;

  constructor(
    service: InferenceService,
    headers: Readonly<Record<string, string>>,
    request: GrpcMessage,
    { output, endpoint, signal }: Pick<TritonJob, 'output' | 'endpoint' | 'signal'>,
  ) {
    this.output = output;
    this.endpoint = endpoint;
    this.signal = signal;
    this.silence = setTimeout(() => this.onSilence(), endpoint.timeouts.idleMs);
    this.call = service.open('ModelStreamInfer', headers);
    this.call.on('data', (message: StreamInferResponse) => this.onMessage(message));
    this.call.on('end', () => this.onClosed());
    this.call.on('close', () => this.onGone());
    this.call.on('error', (error) => this.fail(grpcErrorOf(error, endpoint, output.hasBegun)));
    signal.addEventListener('abort', this.abort, { once: true });
    this.call.write(request);
    this.call.end();
  }

  pause(): void {
    this.call.pause();
    // It is we who are silent.
    this.silence.unref();
    clearTimeout(this.silence);
  }

  resume(): void {
    this.silence.refresh();
    this.call.resume();
  }

  private onMessage({ error_message: error, infer_response: response }: StreamInferResponse): void {
    if (this.output.isDone) return;
    this.silence.refresh();
    if (error !== undefined && error !== '') {
      this.fail(streamErrorOf(error, this.endpoint, this.output.hasBegun));
      this.call.cancel();
      return;
    }
    const told = response === undefined ? null : readResponse(response);
    if (told !== null) this.output.response(told);
    if (response !== undefined && isFinal(response)) this.output.finish();
    if (this.output.isDone) {
      this.forget();
      // A server that keeps the call open is not let: the task's slot is given to another now.
      this.patience ??= setTimeout(() => this.call.cancel(), lastMessagesMs);
    }
  }

  /** The call ended in good order: fine after the final response only. */
  private onClosed(): void {
    const lost = { afterFirstByte: this.output.hasBegun };
    this.fail(new EngineError('WORKER_RESET', 'The engine ended its stream too early.', lost));
  }

  private onGone(): void {
    if (this.patience !== null) clearTimeout(this.patience);
  }

  private onSilence(): void {
    const { replicaId, timeouts } = this.endpoint;
    const message = `The engine of replica ${replicaId} was silent for ${timeouts.idleMs} ms.`;
    this.fail(new EngineError('DECODE_TIMEOUT', message, { afterFirstByte: this.output.hasBegun }));
    this.call.cancel();
  }

  private fail(error: EngineError): void {
    this.forget();
    this.output.fail(error);
  }

  private forget(): void {
    clearTimeout(this.silence);
    this.signal.removeEventListener('abort', this.abort);
  }

  private readonly abort = (): void => {
    clearTimeout(this.silence);
    this.output.stop();
    this.call.cancel();
  };
}
