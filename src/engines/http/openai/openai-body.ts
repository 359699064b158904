import type { CompletionWork } from '../../engine-adapter.port.js';

/**
 * Body of `POST /v1/completions` or `POST /v1/chat/completions`, with the fields that OpenAI's API has. A final frame with the usage is
 * asked for. What the task leaves open is left to the server.
 * https://platform.openai.com/docs/api-reference/completions/create · https://platform.openai.com/docs/api-reference/chat/create
 * @param beside what a dialect knows beyond that
 */
export function openAiBody(
  model: string | undefined,
  { input, maxTokens, seed, sampling }: CompletionWork,
  beside: Readonly<Record<string, unknown>> = {},
): string {
  return JSON.stringify({
    model,
    ...input,
    // Newer names (max_completion_tokens) are unknown to most compatible servers; this one is known to all.
    max_tokens: maxTokens,
    stream: true,
    stream_options: { include_usage: true },
    seed,
    temperature: sampling?.temperature,
    top_p: sampling?.top_p,
    presence_penalty: sampling?.presence_penalty,
    frequency_penalty: sampling?.frequency_penalty,
    stop: sampling?.stop,
    ...beside,
  });
}

/** `response_format` for Structured Outputs: https://platform.openai.com/docs/guides/structured-outputs */
export function responseFormat(schema: Readonly<Record<string, unknown>> | undefined): unknown {
  return schema === undefined ? undefined : { type: 'json_schema', json_schema: { name: 'output', schema } };
}
