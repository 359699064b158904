import type { CompletionWork } from '../engine-adapter.port.js';
import { openAiBody } from '../http/openai/openai-body.js';

/** llama.cpp takes this seed, and -1, as the wish for a random one (`LLAMA_DEFAULT_SEED`). */
const randomSeed = 0xffff_ffff;

/** Body of `POST /completion`: our words in llama.cpp's. What the task leaves open is left to the server's defaults. */
export function completionBody(model: string | undefined, prompt: string, work: CompletionWork): string {
  const { sampling } = work;
  return JSON.stringify({
    model,
    prompt,
    n_predict: work.maxTokens,
    stream: true,
    temperature: sampling?.temperature,
    top_p: sampling?.top_p,
    presence_penalty: sampling?.presence_penalty,
    frequency_penalty: sampling?.frequency_penalty,
    stop: sampling?.stop,
    ...ownFields(work),
  });
}

/** Body of `POST /v1/chat/completions`, which takes the fields of `/completion` beside OpenAI's. Thoughts of a reasoning model stay in the text. */
export function chatBody(model: string | undefined, work: CompletionWork): string {
  return openAiBody(model, work, { ...ownFields(work), reasoning_format: 'none' });
}

function ownFields({ seed, sampling, cache }: CompletionWork): Record<string, unknown> {
  return {
    seed: seed === randomSeed ? randomSeed - 1 : seed,
    cache_prompt: cache !== 'cold',
    top_k: sampling?.top_k,
    min_p: sampling?.min_p,
    repeat_penalty: sampling?.repeat_penalty,
    grammar: sampling?.grammar,
    json_schema: sampling?.json_schema,
  };
}
