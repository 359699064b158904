import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The part of node-llama-cpp that the host uses, described structurally: the library is found at run time.
 *
 * Decoding goes through the native objects behind its public classes (`_model`, `_ctx`, `_bindings`). Its public
 * `sequence.evaluate()` schedules every sequence by itself and costs twice the CPU per token of a small model; and it
 * shifts a full context, where llama-server stops. These members are checked when the library is loaded.
 */
export interface NodeLlamaCpp {
  getLlama(options: {
    gpu: 'auto' | 'cuda' | 'vulkan' | 'metal' | false;
    build: 'never';
    skipDownload: true;
    progressLogs: false;
    logger(level: string, message: string): void;
  }): Promise<Llama>;
  LlamaGrammarEvaluationState: new (options: { model: LlamaModel; grammar: Grammar }) => { _state: unknown };
}

export interface Llama {
  readonly gpu: string | false;
  readonly llamaCppRelease: { release: string };
  readonly _bindings: NativeBindings;
  loadModel(options: { modelPath: string; gpuLayers?: number }): Promise<LlamaModel>;
  createGrammar(options: { grammar: string }): Promise<Grammar>;
  createGrammarForJsonSchema(schema: unknown): Promise<Grammar>;
}

export interface Grammar {
  readonly grammar: string;
}

export interface LlamaModel {
  readonly fileInfo: { metadata: { tokenizer?: { chat_template?: unknown; ggml?: { tokens?: readonly unknown[] } } } };
  readonly trainContextSize: number;
  readonly embeddingVectorSize: number;
  /** Bytes. */
  readonly size: number;
  readonly typeDescription: string;
  readonly tokens: LlamaModelTokens;
  readonly _model: NativeModel;
  tokenize(text: string, specialTokens: boolean): number[];
  createContext(options: {
    sequences: number;
    contextSize: number;
    batchSize: number;
    flashAttention: boolean | 'auto';
    threads?: number;
    failedCreationRemedy: false;
  }): Promise<LlamaContext>;
}

export interface LlamaModelTokens {
  readonly bos: number | null;
  readonly eos: number | null;
  readonly bosString: string | null;
  readonly eosString: string | null;
  readonly shouldPrependBosToken: boolean;
  readonly shouldAppendEosToken: boolean;
}

export interface LlamaContext {
  readonly _ctx: NativeContext;
}

export interface NativeModel {
  getTokenString(token: number): string | undefined;
  /** Bits of llama.cpp's `llama_token_attr`. */
  getTokenAttributes(token: number): number;
  /** llama.cpp's `llama_vocab_type`. */
  getVocabularyType(): number;
  isEogToken(token: number): boolean;
  getTotalParameters(): number;
  detokenize(tokens: Uint32Array, specialTokens: boolean): string;
}

/** One batch at a time: init, add for each sequence, decode, then sample from the rows that asked for it. */
export interface NativeContext {
  initBatch(size: number): void;
  addToBatch(sequence: number, firstPosition: number, tokens: Uint32Array, rowsToSample: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  sampleToken(row: number, sampler: NativeSampler): Promise<number>;
  /** Forgets everything the sequence holds. */
  disposeSequence(sequence: number): void;
  /** False when the model's memory can't forget a part. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  getSequenceKvCacheMinPosition(sequence: number): number;
}

export interface NativeSampler {
  applyConfig(config: SamplerConfig): void;
  dispose(): void;
}

export interface SamplerConfig {
  temperature: number;
  minP: number;
  topK: number;
  topP: number;
  seed: number;
  repeatPenalty?: number;
  repeatPenaltyMaxTokens?: number;
  repeatPenaltyTokens?: Uint32Array;
  repeatPenaltyPresencePenalty?: number;
  repeatPenaltyFrequencyPenalty?: number;
  grammarEvaluationState?: unknown;
  tokenBiasKeys?: Uint32Array;
  tokenBiasValues?: Float32Array;
}

interface NativeBindings {
  AddonSampler: new (model: NativeModel) => NativeSampler;
  AddonJinjaRenderer: new (template: string) => { render(items: Record<string, unknown>): string };
}

/**
 * Loads the library from `dir/node_modules`.
 * Throws an error with a one-line message when it isn't there or can't be loaded.
 */
export async function importNodeLlamaCpp(dir: string): Promise<NodeLlamaCpp> {
  try {
    const entry = createRequire(join(dir, 'package.json')).resolve('node-llama-cpp');
    return (await import(pathToFileURL(entry).href)) as NodeLlamaCpp;
  } catch (error) {
    throw new Error(`node-llama-cpp can't be loaded from ${dir}: ${firstLine(error)}`);
  }
}

export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}
