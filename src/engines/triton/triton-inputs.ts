import { EngineError, type CompletionWork } from '../engine-adapter.port.js';
import type { TritonModel } from './triton-model.js';

export type InputValue = string | number | boolean | readonly string[];

/** What a model is given, by the names of its inputs. */
export type Inputs = ReadonlyMap<string, InputValue>;

/**
 * Our words in those of the backend that the model runs on, told apart by its inputs: vLLM's has `sampling_parameters`, TensorRT-LLM's an
 * input for each option. Throws EngineError for a model that has no input for what the task asks.
 * https://github.com/triton-inference-server/vllm_backend#using-the-vllm-backend ·
 * https://github.com/triton-inference-server/tensorrtllm_backend/blob/main/docs/model_config.md
 */
export function inputsOf(model: TritonModel, name: string, prompt: string, work: CompletionWork): Inputs {
  if (!model.inputs.has('text_input'))
    throw new EngineError('REPLICA_EXHAUSTED', `The model ${name} has no input text_input: it takes no prompts.`);
  const own = isVllm(model) ? vllmInputs(work) : tensorRtInputs(model, work);
  const inputs = new Map<string, InputValue>([['text_input', prompt], ...present(own)]);
  const missing = [...inputs.keys()].filter((input) => !model.inputs.has(input));
  if (missing.length > 0) {
    const message = `The model ${name} has no input for what the task asks: ${missing.join(', ')}.`;
    throw new EngineError('INVALID_PARAMS', message);
  }
  // What makes it tell more, where it can.
  for (const wish of [
    'exclude_input_in_output',
    'return_finish_reason',
    'return_num_input_tokens',
    'return_num_output_tokens',
  ])
    if (model.inputs.has(wish)) inputs.set(wish, true);
  return inputs;
}

/** Whether a model runs on vLLM's backend. */
export function isVllm({ inputs }: TritonModel): boolean {
  return inputs.has('sampling_parameters');
}

function vllmInputs({ maxTokens, seed, sampling = {} }: CompletionWork): Record<string, InputValue | undefined> {
  const parameters = {
    max_tokens: maxTokens,
    seed,
    temperature: sampling.temperature,
    top_p: sampling.top_p,
    top_k: sampling.top_k,
    repetition_penalty: sampling.repeat_penalty,
    presence_penalty: sampling.presence_penalty,
    frequency_penalty: sampling.frequency_penalty,
    stop: sampling.stop,
  };
  return { stream: true, sampling_parameters: JSON.stringify(parameters) };
}

function tensorRtInputs(model: TritonModel, work: CompletionWork): Record<string, InputValue | undefined> {
  const { maxTokens, seed, sampling = {} } = work;
  const { temperature, stop } = sampling;
  // TensorRT-LLM refuses a temperature of 0: the most likely token is the first of one.
  const randomness = temperature === 0 ? { top_k: 1 } : { temperature, top_k: sampling.top_k };
  return {
    stream: true,
    max_tokens: maxTokens,
    // Its name until 2024.
    [model.inputs.has('random_seed') ? 'random_seed' : 'seed']: seed,
    ...randomness,
    top_p: sampling.top_p,
    repetition_penalty: sampling.repeat_penalty,
    presence_penalty: sampling.presence_penalty,
    frequency_penalty: sampling.frequency_penalty,
    stop_words: stop?.length === 0 ? undefined : stop,
  };
}

function present(values: Readonly<Record<string, InputValue | undefined>>): [string, InputValue][] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}
