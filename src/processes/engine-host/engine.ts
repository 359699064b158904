import { randomInt } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { ApiError, invalidRequest } from './api-error.js';
import type { EngineHostOptions } from './command-line.js';
import { type ChatMessage } from './chat-request.js';
import { type PromptPart, RANDOM_SEED, type SamplingParams } from './completion-request.js';
import { convertJsonSchema } from './json-schema-grammar.js';
import {
  firstLine,
  importNodeLlamaCpp,
  type Llama,
  type LlamaModel,
  type NativeContext,
  type NativeSampler,
  type NodeLlamaCpp,
  type SamplerConfig,
} from './node-llama-cpp.js';
import { TokenText } from './token-text.js';
import { withVulkanDriver } from './vulkan-driver.js';

/** llama-server's default logical batch is larger, but its physical one is this. */
const BATCH_SIZE = 512;
/** llama.cpp pads the context of each sequence to a multiple of this. */
const CONTEXT_PADDING = 256;
/** Below this size a second thread costs more in synchronisation than it brings. */
const SINGLE_THREAD_MODEL_BYTES = 64 * 1024 * 1024;

type Log = (message: string, fields?: Record<string, unknown>) => void;

/** A loaded model with its context: tokenizes, renders chats, and builds samplers. */
export class Engine {
  readonly tokenText: TokenText;
  readonly vocabularySize: number;
  private endOfGenerationTokens: number[] | undefined;

  private constructor(
    private readonly library: NodeLlamaCpp,
    private readonly llama: Llama,
    readonly model: LlamaModel,
    readonly context: NativeContext,
    readonly slotContext: number,
  ) {
    this.tokenText = new TokenText(model._model);
    this.vocabularySize = model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? 0;
  }

  /**
   * Loads library, model and context; never builds or downloads anything.
   * Throws an error with a one-line message saying what is missing or unfit.
   */
  static async open(options: EngineHostOptions, log: Log): Promise<Engine> {
    await requireGguf(options.modelPath);
    const library = await importNodeLlamaCpp(options.libraryDir);
    const llama = await startLibrary(library, options, log);
    const model = await loadModel(llama, options);
    const slotContext = contextPerSlot(options, model.trainContextSize);
    const context = await createContext(model, options, { slotContext, hasGpu: llama.gpu !== false });
    requireNativeApi(llama, model, context);
    log('model loaded', {
      model: options.modelPath,
      gpu: llama.gpu,
      slots: options.slots,
      slot_context: slotContext,
      llama_cpp: llama.llamaCppRelease.release,
    });
    return new Engine(library, llama, model, context, slotContext);
  }

  get batchSize(): number {
    return BATCH_SIZE;
  }

  get release(): string {
    return this.llama.llamaCppRelease.release;
  }

  /** Jinja source; empty when the model has none. */
  get chatTemplate(): string {
    const template = this.model.fileInfo.metadata.tokenizer?.chat_template;
    return typeof template === 'string' ? template : '';
  }

  /** Token ids of a whole prompt, with the begin token where the model wants one. */
  tokenizePrompt(parts: readonly PromptPart[]): number[] {
    const { bos, eos, shouldPrependBosToken, shouldAppendEosToken } = this.model.tokens;
    const tokens: number[] = [];
    parts.forEach((part, index) => {
      if (typeof part === 'number') tokens.push(this.checkToken(part));
      else {
        if (index === 0 && shouldPrependBosToken && bos !== null) tokens.push(bos);
        for (const token of this.model.tokenize(part, true)) tokens.push(token);
      }
    });
    if (shouldAppendEosToken && eos !== null && typeof parts.at(-1) === 'string') tokens.push(eos);
    if (tokens.length === 0) throw invalidRequest('"prompt" must not be empty');
    return tokens;
  }

  isEndOfGeneration(token: number): boolean {
    return this.model._model.isEogToken(token);
  }

  /** Text of `tokens` with control tokens spelled out. */
  detokenize(tokens: readonly number[]): string {
    return Buffer.concat(tokens.map((token) => this.tokenText.spelledBytes(this.checkToken(token)))).toString();
  }

  /**
   * The prompt that a chat becomes; an assistant's message at its end is the beginning of the answer.
   * Refuses messages the model's template refuses.
   */
  renderChat(messages: readonly ChatMessage[]): string {
    const { bosString, eosString, shouldPrependBosToken } = this.model.tokens;
    const last = messages.at(-1);
    const prefill = last?.role === 'assistant' ? last.content : undefined;
    try {
      const prompt = new this.llama._bindings.AddonJinjaRenderer(this.chatTemplate).render({
        messages: prefill === undefined ? messages : messages.slice(0, -1),
        add_generation_prompt: true,
        bos_token: bosString ?? '',
        eos_token: eosString ?? '',
      });
      // The tokenizer adds the begin token itself.
      const isDoubled = shouldPrependBosToken && bosString !== null && bosString !== '' && prompt.startsWith(bosString);
      return (isDoubled ? prompt.slice(bosString.length) : prompt) + (prefill ?? '');
    } catch (error) {
      throw invalidRequest(`the chat template refused the messages: ${firstLine(error)}`);
    }
  }

  /** A sampler for one generation; the caller disposes it. Refuses a grammar or schema that can't be read. */
  async createSampler(params: SamplingParams, promptTokens: readonly number[]): Promise<NativeSampler> {
    const config: SamplerConfig = {
      temperature: params.temperature,
      minP: params.minP,
      topK: params.topK,
      topP: params.topP,
      seed: params.seed === RANDOM_SEED ? randomInt(RANDOM_SEED) : params.seed,
      ...penalties(params, promptTokens),
      ...(await this.grammarState(params)),
    };
    if (params.ignoreEos) {
      const tokens = (this.endOfGenerationTokens ??= this.findEndOfGenerationTokens());
      config.tokenBiasKeys = Uint32Array.from(tokens);
      config.tokenBiasValues = new Float32Array(tokens.length).fill(-Infinity);
    }
    const sampler = new this.llama._bindings.AddonSampler(this.model._model);
    sampler.applyConfig(config);
    return sampler;
  }

  private async grammarState(params: SamplingParams): Promise<Pick<SamplerConfig, 'grammarEvaluationState'>> {
    if (params.grammar === '' && params.jsonSchema === undefined) return {};
    const text = params.grammar === '' ? await convertJsonSchema(this.llama, params.jsonSchema) : params.grammar;
    try {
      const grammar = await this.llama.createGrammar({ grammar: text });
      const state = new this.library.LlamaGrammarEvaluationState({ model: this.model, grammar });
      return { grammarEvaluationState: state._state };
    } catch {
      throw invalidRequest('Failed to initialize samplers: failed to parse grammar');
    }
  }

  private findEndOfGenerationTokens(): number[] {
    const tokens = Array.from({ length: this.vocabularySize }, (_, token) => token);
    return tokens.filter((token) => this.isEndOfGeneration(token));
  }

  private checkToken(token: number): number {
    if (token >= 0 && token < this.vocabularySize) return token;
    throw invalidRequest('Prompt contains invalid tokens');
  }

  /** Refuses a prompt that leaves no room for an answer. */
  requireRoomFor(promptTokens: number): void {
    if (promptTokens < this.slotContext) return;
    throw new ApiError(
      'exceed_context_size_error',
      `request (${promptTokens} tokens) exceeds the available context size (${this.slotContext} tokens), try increasing it`,
      { n_prompt_tokens: promptTokens, n_ctx: this.slotContext },
    );
  }
}

function penalties(params: SamplingParams, promptTokens: readonly number[]): Partial<SamplerConfig> {
  const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN } = params;
  const isNeutral = repeatPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0;
  if (isNeutral || repeatLastN === 0) return {};
  const window = repeatLastN < 0 ? promptTokens.length + Math.max(params.maxTokens, 64) : repeatLastN;
  return {
    repeatPenalty,
    repeatPenaltyMaxTokens: window,
    repeatPenaltyTokens: Uint32Array.from(promptTokens.slice(-window)),
    repeatPenaltyPresencePenalty: presencePenalty,
    repeatPenaltyFrequencyPenalty: frequencyPenalty,
  };
}

async function requireGguf(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new Error(`model not found: ${path}`);
  if (found.size < 24) throw new Error(`not a GGUF model: ${path}`);
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer.toString('latin1') !== 'GGUF') throw new Error(`not a GGUF model: ${path}`);
  } finally {
    await file.close();
  }
}

async function startLibrary(library: NodeLlamaCpp, options: EngineHostOptions, log: Log): Promise<Llama> {
  const load = (): Promise<Llama> =>
    library.getLlama({
      gpu: options.gpu,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logger: (level, message) => {
        if (level === 'error' || level === 'fatal') log(message.trim(), { source: 'llama.cpp', level });
      },
    });
  try {
    return await (options.gpu === 'vulkan' ? withVulkanDriver(load) : load());
  } catch (error) {
    throw new Error(`node-llama-cpp has no prebuilt binary that fits (gpu: ${options.gpu}): ${firstLine(error)}`);
  }
}

async function loadModel(llama: Llama, options: EngineHostOptions): Promise<LlamaModel> {
  const gpuLayers = llama.gpu === false ? 0 : options.gpuLayers;
  try {
    return await llama.loadModel({ modelPath: options.modelPath, ...(gpuLayers === undefined ? {} : { gpuLayers }) });
  } catch (error) {
    throw new Error(`the model can't be loaded: ${options.modelPath}: ${firstLine(error)}`);
  }
}

async function createContext(
  model: LlamaModel,
  options: EngineHostOptions,
  { slotContext, hasGpu }: { slotContext: number; hasGpu: boolean },
): Promise<NativeContext> {
  const threads = options.threads ?? (model.size < SINGLE_THREAD_MODEL_BYTES ? 1 : undefined);
  // On a CPU llama.cpp's flash attention is slower than the plain one: twice for small models.
  const automatic = hasGpu ? 'auto' : false;
  try {
    const context = await model.createContext({
      sequences: options.slots,
      contextSize: slotContext,
      batchSize: Math.max(BATCH_SIZE, options.slots),
      flashAttention: options.flashAttention === 'auto' ? automatic : options.flashAttention === 'on',
      failedCreationRemedy: false,
      ...(threads === undefined ? {} : { threads }),
    });
    return context._ctx;
  } catch (error) {
    const size = `${options.slots} slots of ${slotContext} tokens`;
    throw new Error(`no context of ${size} can be created: ${firstLine(error)}`);
  }
}

/**
 * As llama-server shares its context: evenly, padded, and never beyond what the model was trained for.
 * Without a size the slots share one training context; llama-server would give each a whole one and count on memory.
 */
function contextPerSlot({ contextSize, slots }: EngineHostOptions, trainContext: number): number {
  const share = (contextSize === 0 ? trainContext : contextSize) / slots;
  const padded = Math.ceil(share / CONTEXT_PADDING) * CONTEXT_PADDING;
  return Math.min(padded, trainContext);
}

/** The native members are internal to the library: a version without them is refused rather than met at run time. */
function requireNativeApi(llama: Llama, model: LlamaModel, context: NativeContext): void {
  const needed: [object, string[]][] = [
    [llama._bindings ?? {}, ['AddonSampler', 'AddonJinjaRenderer']],
    [model._model ?? {}, ['getTokenString', 'getTokenAttributes', 'getVocabularyType', 'isEogToken']],
    [context ?? {}, ['initBatch', 'addToBatch', 'decodeBatch', 'sampleToken', 'disposeSequence']],
  ];
  const missing = needed.flatMap(([owner, names]) => names.filter((name) => !(name in owner)));
  if (missing.length > 0) throw new Error(`this version of node-llama-cpp is not supported: no ${missing.join(', ')}`);
}
