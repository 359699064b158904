import type { CompletionWork } from '../engine-adapter.port.js';
import { openAiBody } from '../http/openai/openai-body.js';

/**
 * Body of `POST /generate_stream`. TGI takes the most likely token unless it is told to sample, refuses values that switch an option off
 * (`top_k: 0`, `top_p: 1`) and a temperature of 0.
 */
export function generateBody(prompt: string, { maxTokens, seed, sampling }: CompletionWork): string {
  const schema = sampling?.json_schema;
  return JSON.stringify({
    inputs: prompt,
    parameters: {
      max_new_tokens: maxTokens,
      details: true,
      seed,
      ...randomness(sampling),
      repetition_penalty: sampling?.repeat_penalty,
      frequency_penalty: sampling?.frequency_penalty,
      stop: sampling?.stop,
      grammar: schema === undefined ? undefined : { type: 'json', value: schema },
    },
  });
}

/** Body of `POST /v1/chat/completions`. A model of any other name than `tgi` would be taken for that of an adapter of the model. */
export function chatBody(work: CompletionWork): string {
  const { sampling } = work;
  const schema = sampling?.json_schema;
  const isGreedy = sampling?.temperature === 0 || sampling?.top_p === 0;
  return openAiBody('tgi', work, {
    temperature: isGreedy ? 0 : sampling?.temperature,
    top_p: isGreedy || sampling?.top_p === 1 ? undefined : sampling?.top_p,
    response_format: schema === undefined ? undefined : { type: 'json', value: schema },
  });
}

function randomness(sampling: CompletionWork['sampling']): Record<string, unknown> {
  const { temperature, top_k: topK, top_p: topP } = sampling ?? {};
  if (temperature === undefined && topK === undefined && topP === undefined) return {};
  if (temperature === 0 || topP === 0) return { do_sample: false };
  return {
    do_sample: true,
    temperature,
    top_k: topK === 0 ? undefined : topK,
    top_p: topP === 1 ? undefined : topP,
  };
}
