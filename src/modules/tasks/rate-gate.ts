import type { TaskRequest } from '../../contract/task-request.js';
import type { AdmissionGate, Draft } from './draft.js';

const bytesPerToken = 4;

/** Takes a task's tokens from the caller's quota of a minute; passes where none is configured. Repeats have passed before. */
export class RateGate implements AdmissionGate {
  async enter({ request, context }: Draft): Promise<void> {
    await context.rate?.takeTokens(ratedTokens(request));
  }

  async leave({ request, context }: Draft): Promise<void> {
    await context.rate?.giveTokensBack(ratedTokens(request));
  }
}

/**
 * What a task counts against tokens_per_min: all it may generate, and its prompt at four bytes a token (the usual rule of thumb for English;
 * a tokenizer can't be asked before a pool is chosen). Never settled afterwards, so that a client can foretell it.
 */
export function ratedTokens({ prompt, max_tokens: maxTokens }: Pick<TaskRequest, 'prompt' | 'max_tokens'>): number {
  return Math.ceil(Buffer.byteLength(prompt, 'utf8') / bytesPerToken) + maxTokens;
}
