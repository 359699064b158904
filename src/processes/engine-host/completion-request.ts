import { invalidRequest } from './api-error.js';
import { booleanField, integerField, isJsonObject, type JsonObject, numberField, stringField } from './fields.js';

/** A prompt part is text to tokenize or a token id. */
export type PromptPart = string | number;

export interface SamplingParams {
  /** -1 stands for "until the context is full". */
  maxTokens: number;
  /** At or below 0 the likeliest token is taken. */
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  /** 32 bits; RANDOM_SEED draws one. */
  seed: number;
  repeatLastN: number;
  repeatPenalty: number;
  presencePenalty: number;
  frequencyPenalty: number;
  stop: readonly string[];
  /** GBNF; empty for none. */
  grammar: string;
  jsonSchema: unknown;
  ignoreEos: boolean;
}

export interface RequestParams extends SamplingParams {
  cachePrompt: boolean;
  /** -1 lets the host choose. */
  slotId: number;
  returnTokens: boolean;
  isStream: boolean;
}

export interface CompletionRequest {
  prompt: readonly PromptPart[];
  params: RequestParams;
}

export const RANDOM_SEED = 0xffff_ffff;

/**
 * Reads a `POST /completion` body. Unknown fields are ignored, wrong types refused.
 * Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md ("POST /completion").
 */
export function parseCompletionRequest(body: JsonObject): CompletionRequest {
  return { prompt: parsePrompt(body), params: parseRequestParams(body) };
}

/** The fields that /completion and /v1/chat/completions share. */
export function parseRequestParams(body: JsonObject): RequestParams {
  const repeatPenalty = numberField(body, 'repeat_penalty', 1);
  if (repeatPenalty <= 0) {
    throw invalidRequest('Failed to initialize samplers: penalty_repeat must be finite and greater than 0');
  }
  const grammar = stringField(body, 'grammar', '');
  return {
    maxTokens: integerField(body, 'n_predict', integerField(body, 'max_tokens', -1)),
    temperature: Math.max(0, numberField(body, 'temperature', 0.8)),
    topK: integerField(body, 'top_k', 40),
    topP: numberField(body, 'top_p', 0.95),
    minP: numberField(body, 'min_p', 0.05),
    seed: integerField(body, 'seed', RANDOM_SEED) >>> 0,
    repeatLastN: integerField(body, 'repeat_last_n', 64),
    repeatPenalty,
    presencePenalty: numberField(body, 'presence_penalty', 0),
    frequencyPenalty: numberField(body, 'frequency_penalty', 0),
    stop: parseStop(body['stop']),
    grammar,
    jsonSchema: grammar === '' ? (body['json_schema'] ?? undefined) : undefined,
    ignoreEos: booleanField(body, 'ignore_eos', false),
    cachePrompt: booleanField(body, 'cache_prompt', true),
    slotId: integerField(body, 'id_slot', -1),
    returnTokens: booleanField(body, 'return_tokens', false),
    isStream: booleanField(body, 'stream', false),
  };
}

function parsePrompt(body: JsonObject): readonly PromptPart[] {
  if (!('prompt' in body)) throw invalidRequest("[json.exception.out_of_range.403] key 'prompt' not found");
  const value = body['prompt'];
  if (typeof value === 'string') return [value];
  if (isJsonObject(value) && typeof value['prompt_string'] === 'string') return [value['prompt_string']];
  if (!Array.isArray(value) || !value.every(isPromptPart)) {
    throw invalidRequest(
      '"prompt" elements must be a string, a list of tokens, a JSON object containing a prompt string, or a list of mixed strings & tokens.',
    );
  }
  if (value.length === 0) throw invalidRequest('"prompt" must not be empty');
  if (value.every((part) => typeof part === 'string')) {
    throw invalidRequest('several prompts in one request are not supported');
  }
  return value;
}

function isPromptPart(value: unknown): value is PromptPart {
  return typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value));
}

function parseStop(value: unknown): string[] {
  const words = Array.isArray(value) ? (value as unknown[]) : [value];
  return words.filter((word): word is string => typeof word === 'string' && word !== '');
}
