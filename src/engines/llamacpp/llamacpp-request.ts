import type { CompletionWork } from '../engine-adapter.port.js';

/** Body of `POST /completion`: our words in llama.cpp's. What the task leaves open is left to the server's defaults. */
export function completionBody(model: string | undefined, prompt: string, work: CompletionWork): string {
  const { sampling } = work;
  return JSON.stringify({
    model,
    prompt,
    n_predict: work.maxTokens,
    stream: true,
    cache_prompt: work.cache !== 'cold',
    seed: work.seed,
    temperature: sampling?.temperature,
    top_k: sampling?.top_k,
    top_p: sampling?.top_p,
    min_p: sampling?.min_p,
    repeat_penalty: sampling?.repeat_penalty,
    presence_penalty: sampling?.presence_penalty,
    frequency_penalty: sampling?.frequency_penalty,
    stop: sampling?.stop,
    grammar: sampling?.grammar,
    json_schema: sampling?.json_schema,
  });
}
