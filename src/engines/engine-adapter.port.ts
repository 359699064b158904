import type { ErrorCode } from '../contract/errors.js';
import type { EngineId } from '../contract/common.js';
import type { MockSettings } from '../contract/mock-config.js';
import type { ChatMessage } from '../contract/task-input.js';
import type { Sampling } from '../contract/task-request.js';
import type { Secret } from '../platform/config/secret.js';

/** Where a replica of a pool is reached, and how patiently. */
export interface EngineEndpoint {
  readonly poolId: string;
  readonly replicaId: string;
  /** Base URL without a trailing slash. */
  readonly url: string;
  readonly timeouts: { readonly connectMs: number; readonly idleMs: number; readonly wallMs: number };
  /** Key the engine asks for, sent as a bearer token. Never shown. */
  readonly apiKey?: Secret | undefined;
  /** Longest line of a stream that is read, in bytes; absent: `defaultMaxLineBytes`. A longer one ends the run. */
  readonly maxLineBytes?: number | undefined;
  /** How the mock engine behaves; no other reads it. */
  readonly mock?: MockSettings | undefined;
}

/** Generous: llama.cpp's last frame carries the whole prompt. */
export const defaultMaxLineBytes = 16 * 1024 * 1024;

/** Work that ends in text, token by token. */
export interface CompletionWork {
  readonly kind: 'completion';
  /** Text to go on from, or a conversation that the engine puts into its model's own form. */
  readonly input: { readonly prompt: string } | { readonly messages: readonly ChatMessage[] };
  readonly maxTokens: number;
  readonly seed: number | undefined;
  readonly sampling: Sampling | undefined;
  /** `cold`: the engine must not build on what it kept of earlier prompts, which may change the last bits of its numbers. */
  readonly cache?: 'reuse' | 'cold' | undefined;
}

/** Work that ends in one vector for each input, in their order. */
export interface EmbeddingWork {
  readonly kind: 'embedding';
  readonly inputs: readonly string[];
}

/** Work that ends in one score for each document: how well it answers the query. */
export interface RerankWork {
  readonly kind: 'rerank';
  readonly query: string;
  readonly documents: readonly string[];
}

export type EngineWork = CompletionWork | EmbeddingWork | RerankWork;

/** One task's work for an engine. What the engine can't do (engine-capabilities.ts) was refused before. */
export interface EngineRequest {
  readonly taskId: string;
  readonly correlationId: string;
  /** W3C trace context of the run, where there is one. */
  readonly traceparent?: string | undefined;
  /** The conversation the task belongs to: lets an engine find its cache again. */
  readonly sessionId?: string | undefined;
  /** Name of the model as the engine knows it, where the configuration gives one. */
  readonly model: string | undefined;
  readonly work: EngineWork;
}

/** What other work than completion ends in. `embeddings` are in the order of the inputs; `scores` are best first, `index` counts the documents. */
export type EngineResult =
  | { readonly embeddings: readonly (readonly number[])[] }
  | { readonly scores: readonly { readonly index: number; readonly score: number }[] };

/** What an engine reports when it is done. Counts are the engine's own; `result` comes with every work but completion. */
export interface EngineUsage {
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly finishReason: 'stop' | 'length';
  readonly result?: EngineResult | undefined;
}

/** What an engine measures of itself; null where it doesn't say. */
export interface EngineMetrics {
  /** Share of its KV cache in use, 0 to 1. */
  readonly kvUsageRatio: number | null;
  /** Sequences it decodes now. */
  readonly running: number | null;
  /** Requests that wait inside the engine. */
  readonly waiting: number | null;
}

/** See the fields of EngineError; absent: false, but `wasSent` is true unless `isAway` is. */
export interface EngineErrorOptions {
  readonly afterFirstByte?: boolean;
  readonly isAway?: boolean;
  readonly wasSent?: boolean;
  readonly cause?: unknown;
}

/** A loss or refusal at the engine, already in our words. `code` is what the task's stream will say. */
export class EngineError extends Error {
  /** True when the engine may have begun to decode: a retry elsewhere needs care. */
  readonly afterFirstByte: boolean;
  /** True when no connection could be made: nobody is there. */
  readonly isAway: boolean;
  /** True when an engine may have had the request, in this try or one before: it may be what the engine was lost by. */
  readonly wasSent: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: EngineErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'EngineError';
    this.afterFirstByte = options.afterFirstByte ?? false;
    this.isAway = options.isAway ?? false;
    this.wasSent = options.wasSent ?? !this.isAway;
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

/** Of work that is over, or comes in one piece. */
export const nothingToHold: EngineStream = { pause: () => undefined, resume: () => undefined };

/** The adapters a process has plugged in, by engine. */
export type EngineAdapters = ReadonlyMap<EngineId, EngineAdapter>;

/**
 * One engine's dialect behind the words every room shares. An adapter holds no task state: it may be asked from many tasks at once.
 * Deliberately not here: whether an engine is fit (engine-probe.ts) and what it can do (engine-capabilities.ts), which every process may
 * ask; choosing a replica, retries, fencing, and everything about queues.
 */
export interface EngineAdapter {
  readonly engine: EngineId;
  /**
   * Starts work of any kind; the sink hears of everything, also of failures. Aborting the signal
   * closes the engine's connection, which makes the engine stop and free the slot.
   */
  submit(endpoint: EngineEndpoint, request: EngineRequest, sink: EngineSink, signal: AbortSignal): EngineStream;
  /** Tokens of a text as the engine's model counts them. Rejects with EngineError. Absent where the engine can't say. */
  countTokens?(endpoint: EngineEndpoint, model: string | undefined, text: string, signal: AbortSignal): Promise<number>;
  /**
   * Asks the engine to drop what it keeps in its cache for a session. False: it keeps nothing that can be told apart, or can't drop it.
   * Rejects with EngineError when it can't be reached.
   */
  evictSession?(endpoint: EngineEndpoint, sessionId: string, signal: AbortSignal): Promise<boolean>;
  /** What the engine measures of itself. Rejects with EngineError. Absent where it measures nothing. */
  metrics?(endpoint: EngineEndpoint, signal: AbortSignal): Promise<EngineMetrics>;
}
