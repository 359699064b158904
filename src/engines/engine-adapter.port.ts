import type { ErrorCode } from '../contract/errors.js';
import type { EngineId } from '../contract/common.js';
import type { Sampling } from '../contract/task-request.js';

/** Where a replica of a pool is reached, and how patiently. */
export interface EngineEndpoint {
  readonly poolId: string;
  readonly replicaId: string;
  /** Base URL without a trailing slash. */
  readonly url: string;
  readonly timeouts: { readonly connectMs: number; readonly idleMs: number; readonly wallMs: number };
}

/** One completion to decode. */
export interface EngineRequest {
  readonly taskId: string;
  readonly correlationId: string;
  /** Name of the model as the engine knows it, where the configuration gives one. */
  readonly model: string | undefined;
  readonly prompt: string;
  readonly maxTokens: number;
  readonly seed: number | undefined;
  readonly sampling: Sampling | undefined;
}

/** What an engine reports when it has decoded to the end. */
export interface EngineUsage {
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly finishReason: 'stop' | 'length';
}

/** A loss or refusal at the engine, already in our words. `code` is what the task's stream will say. */
export class EngineError extends Error {
  /** True when the engine may have begun to decode: a retry elsewhere needs care. */
  readonly afterFirstByte: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { readonly afterFirstByte?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'EngineError';
    this.afterFirstByte = options.afterFirstByte ?? false;
  }
}

/**
 * Receives a stream from an adapter. Calls come synchronously while bytes arrive: no promise per token. `onToken` may be called many
 * times in one tick; exactly one of `onEnd` and `onError` comes last, and nothing comes after the signal was aborted.
 */
export interface EngineSink {
  onToken(text: string): void;
  /** Tokens of the prompt, as soon as the engine says; at most once, before the first token. */
  onPrompt(tokensIn: number): void;
  onEnd(usage: EngineUsage): void;
  onError(error: EngineError): void;
}

/** Holds back an engine whose tokens can't be stored as fast as they come. */
export interface EngineStream {
  pause(): void;
  resume(): void;
}

/** The adapters a process has plugged in, by engine. */
export type EngineAdapters = ReadonlyMap<EngineId, EngineAdapter>;

/**
 * One engine's dialect behind the words every room shares. An adapter holds no task state: it may be asked from many tasks at once.
 * Deliberately not here: whether an engine is fit (engine-probe.ts, which every process may use), choosing a replica, retries after the first byte, fencing, and everything about queues.
 */
export interface EngineAdapter {
  readonly engine: EngineId;
  /**
   * Starts decoding; the sink hears of everything, also of failures. Aborting the signal closes the engine's connection, which makes the
   * engine stop and free the slot.
   */
  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream;
}
