import type { RequestParams, SamplingParams } from './completion-request.js';
import type { Engine } from './engine.js';
import type { Timings } from './generation.js';
import { perSecond } from './metrics.js';
import type { Slot } from './slot.js';

/** What the host says about itself wherever llama-server names its build. */
export interface HostIdentity {
  modelName: string;
  modelPath: string;
  buildInfo: string;
}

const SAMPLERS = ['penalties', 'top_k', 'top_p', 'min_p', 'temperature'];

/** The settings a generation ran with, as llama-server echoes them: floats in single precision. */
export function generationSettings(params: RequestParams): Record<string, unknown> {
  return { ...samplingDocument(params), stop: params.stop, grammar: params.grammar, stream: params.isStream };
}

export function timingsDocument(timings: Timings): Record<string, number> {
  const { cachedTokens, promptTokens, promptMs, predictedTokens, predictedMs } = timings;
  return {
    cache_n: cachedTokens,
    prompt_n: promptTokens,
    prompt_ms: promptMs,
    prompt_per_token_ms: promptMs / Math.max(1, promptTokens),
    prompt_per_second: perSecond(promptTokens, promptMs),
    predicted_n: predictedTokens,
    predicted_ms: predictedMs,
    predicted_per_token_ms: predictedMs / Math.max(1, predictedTokens),
    predicted_per_second: perSecond(predictedTokens, predictedMs),
  };
}

/** `GET /props`. */
export function propsDocument(engine: Engine, slots: number, identity: HostIdentity, defaults: RequestParams) {
  const { bosString, eosString } = engine.model.tokens;
  return {
    default_generation_settings: {
      params: { ...samplingDocument(defaults), stream: false },
      n_ctx: engine.slotContext,
    },
    total_slots: slots,
    model_alias: identity.modelName,
    model_ftype: weightType(engine),
    model_path: identity.modelPath,
    modalities: { vision: false, video: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: true,
    chat_template: engine.chatTemplate,
    bos_token: bosString ?? '',
    eos_token: eosString ?? '',
    build_info: identity.buildInfo,
    is_sleeping: false,
  };
}

/** One element of `GET /slots`; what a slot did last stays visible until it works again. */
export function slotDocument(slot: Slot, slotContext: number): Record<string, unknown> {
  const isProcessing = slot.generation !== undefined;
  const base = { id: slot.id, n_ctx: slotContext, speculative: false, is_processing: isProcessing };
  const generation = slot.generation ?? slot.lastGeneration;
  if (generation === undefined) return base;
  const { params, decodedTokens } = generation;
  return {
    ...base,
    id_task: generation.id,
    n_prompt_tokens: slot.cells.length,
    n_prompt_tokens_processed: isProcessing ? generation.promptTokens.length - generation.cachedTokens : 0,
    n_prompt_tokens_cache: isProcessing ? generation.cachedTokens : 0,
    params: { ...samplingDocument(params), stream: params.isStream },
    next_token: [
      {
        has_next_token: isProcessing,
        has_new_line: generation.hasNewLine,
        n_remain: isProcessing && params.maxTokens >= 0 ? params.maxTokens - decodedTokens : -1,
        n_decoded: isProcessing ? decodedTokens : 0,
      },
    ],
  };
}

/** `GET /v1/models`. */
export function modelsDocument(engine: Engine, { modelName }: HostIdentity, createdSeconds: number) {
  const { model } = engine;
  return {
    models: [
      { name: modelName, model: modelName, type: 'model', capabilities: ['completion'], details: { format: 'gguf' } },
    ],
    object: 'list',
    data: [
      {
        id: modelName,
        aliases: [modelName],
        tags: [],
        object: 'model',
        created: createdSeconds,
        owned_by: 'llamacpp',
        meta: {
          vocab_type: model._model.getVocabularyType(),
          n_vocab: engine.vocabularySize,
          n_ctx: engine.slotContext,
          n_ctx_train: model.trainContextSize,
          n_embd: model.embeddingVectorSize,
          n_params: model._model.getTotalParameters(),
          size: model.size,
          ftype: weightType(engine),
        },
      },
    ],
  };
}

function samplingDocument(params: SamplingParams): Record<string, unknown> {
  return {
    seed: params.seed,
    temperature: Math.fround(params.temperature),
    top_k: params.topK,
    top_p: Math.fround(params.topP),
    min_p: Math.fround(params.minP),
    repeat_last_n: params.repeatLastN,
    repeat_penalty: Math.fround(params.repeatPenalty),
    presence_penalty: Math.fround(params.presencePenalty),
    frequency_penalty: Math.fround(params.frequencyPenalty),
    max_tokens: params.maxTokens,
    n_predict: params.maxTokens,
    ignore_eos: params.ignoreEos,
    samplers: SAMPLERS,
  };
}

/** llama.cpp describes a model as "architecture size weights"; the weights may be several words. */
function weightType(engine: Engine): string {
  return engine.model.typeDescription.split(' ').slice(2).join(' ');
}
