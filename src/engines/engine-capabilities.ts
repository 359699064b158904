import type { EngineId } from '../contract/common.js';
import type { Sampling } from '../contract/task-request.js';
import type { EngineWork } from './engine-adapter.port.js';

/** How the input of a completion is given. */
type CompletionInput = 'prompt' | 'messages';

/** What can be asked of a completion beyond its text. `strict`: the same request gives the same tokens again. */
type CompletionOption = 'seed' | 'strict' | keyof Sampling;

/** One thing that a request can ask of an engine. */
export type EngineFeature = CompletionInput | 'embedding' | 'rerank' | `${CompletionInput}+${CompletionOption}`;

/** What an adapter can ask of its engine. It says nothing of a single server: that one may have been started without a feature. */
export interface EngineCapabilities {
  readonly features: ReadonlySet<EngineFeature>;
  /** Whether a prompt and what was generated from it may be sent as one longer prompt, to go on where a lost replica stopped. */
  readonly continuesPrompts: boolean;
  /** Whether its presence and frequency penalties count the prompt's tokens too, so that a longer prompt changes nothing. Absent: no. */
  readonly penalisesPrompt?: boolean;
}

const allSampling: readonly (keyof Sampling)[] = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repeat_penalty',
  'presence_penalty',
  'frequency_penalty',
  'stop',
  'grammar',
  'json_schema',
];

const openAiSampling = ['temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'stop'] as const;

function completion(input: CompletionInput, options: readonly CompletionOption[]): EngineFeature[] {
  return [input, ...options.map((option) => `${input}+${option}` as const)];
}

const without = (options: readonly (keyof Sampling)[]): (keyof Sampling)[] =>
  allSampling.filter((option) => !options.includes(option));

/** What every adapter of this build can do, by engine. Every process may read it, also those that must not reach an adapter. */
export const engineCapabilities: Readonly<Record<EngineId, EngineCapabilities>> = {
  llamacpp: {
    features: new Set([
      ...completion('prompt', ['seed', 'strict', ...allSampling]),
      ...completion('messages', ['seed', 'strict', ...allSampling]),
      'embedding',
      'rerank',
    ]),
    continuesPrompts: true,
    penalisesPrompt: true,
  },
  // A seed holds for one batch and one version only by its own words, so `strict` is not promised.
  vllm: {
    features: new Set([
      ...completion('prompt', ['seed', ...allSampling]),
      ...completion('messages', ['seed', ...allSampling]),
      'embedding',
      'rerank',
    ]),
    continuesPrompts: true,
  },
  // No `min_p`, no grammars of this kind. Its presence penalty is a repetition penalty in disguise, so it is not promised.
  tgi: {
    features: new Set([
      ...completion('prompt', [
        'seed',
        'temperature',
        'top_p',
        'top_k',
        'repeat_penalty',
        'frequency_penalty',
        'stop',
        'json_schema',
      ]),
      ...completion('messages', ['seed', 'temperature', 'top_p', 'frequency_penalty', 'stop', 'json_schema']),
      'embedding',
    ]),
    continuesPrompts: true,
  },
  // What both of its backends take. Prompts only: the chat template is the model's, and Triton knows none.
  triton: {
    features: new Set(completion('prompt', ['seed', ...without(['min_p', 'grammar', 'json_schema'])])),
    continuesPrompts: true,
  },
  // What the reference documents and nothing else. Its seed is best effort by its own words, so `strict` is not promised.
  openai: {
    features: new Set([
      ...completion('prompt', ['seed', ...openAiSampling]),
      ...completion('messages', ['seed', ...openAiSampling, 'json_schema']),
      'embedding',
    ]),
    continuesPrompts: false,
  },
  // Its words follow from the text before them, the seed and the options: nothing of it is random.
  mock: {
    features: new Set([
      ...completion('prompt', ['seed', 'strict', ...without(['grammar', 'json_schema'])]),
      ...completion('messages', ['seed', 'strict', ...without(['grammar', 'json_schema'])]),
      'embedding',
      'rerank',
    ]),
    continuesPrompts: true,
  },
};

/**
 * What a piece of work asks of an engine.
 * @param isStrict whether the same tokens must come again for the same request
 */
export function requiredFeatures(work: EngineWork, isStrict = false): EngineFeature[] {
  if (work.kind !== 'completion') return [work.kind];
  const input: CompletionInput = 'prompt' in work.input ? 'prompt' : 'messages';
  const given = allSampling.filter((field) => work.sampling?.[field] !== undefined);
  const options: CompletionOption[] = [...given];
  if (work.seed !== undefined) options.push('seed');
  if (isStrict) options.push('strict');
  return completion(input, options);
}

/** The field of a request that asks for a feature, as clients write it. */
export function fieldOf(feature: EngineFeature): string {
  const [input, option] = feature.split('+');
  if (option === undefined) return input === 'embedding' || input === 'rerank' ? 'workload' : (input ?? feature);
  if (option === 'seed') return 'seed';
  return option === 'strict' ? 'determinism' : `sampling.${option}`;
}

/** In words, what an engine lacks for a piece of work; null when it lacks nothing. */
export function unsupported(engine: EngineId, work: EngineWork): string | null {
  const { features } = engineCapabilities[engine];
  const missing = requiredFeatures(work).filter((feature) => !features.has(feature));
  if (missing.length === 0) return null;
  return `${engine} can't do ${missing.map((feature) => feature.replace('+', ' with ')).join(', ')}`;
}
