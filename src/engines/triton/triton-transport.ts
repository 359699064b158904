import type { EngineEndpoint, EngineRequest, EngineStream } from '../engine-adapter.port.js';
import type { Inputs } from './triton-inputs.js';
import type { TritonModel } from './triton-model.js';
import type { TritonOutput } from './triton-output.js';

/** One of the two ways to speak to Triton. */
export interface TritonTransport {
  /** What a model takes and gives. Rejects with EngineError. */
  describe(endpoint: EngineEndpoint, model: string, signal: AbortSignal): Promise<unknown>;
  /** Starts a model's work; the output hears of everything, also of failures. */
  run(job: TritonJob): EngineStream;
}

export interface TritonJob {
  readonly endpoint: EngineEndpoint;
  readonly request: EngineRequest;
  readonly model: TritonModel;
  readonly modelName: string;
  readonly inputs: Inputs;
  readonly output: TritonOutput;
  readonly signal: AbortSignal;
}
