import type { AdmissionGate, Draft } from './draft.js';
import { inputTokensAbout } from './input-tokens.js';
import { sizeField, workOf, type WorkFields } from './task-work.js';

/** Takes a task's tokens from the caller's quota of a minute; passes where none is configured. Repeats have passed before. */
export class RateGate implements AdmissionGate {
  async enter({ request, context }: Draft): Promise<void> {
    await context.rate?.takeTokens(ratedTokens(request), sizeField(request));
  }

  async foresee({ request, context }: Draft): Promise<void> {
    await context.rate?.lookForTokens(ratedTokens(request), sizeField(request));
  }

  async leave({ request, context }: Draft): Promise<void> {
    await context.rate?.giveTokensBack(ratedTokens(request));
  }
}

/**
 * What a task counts against tokens_per_min: all it may generate, and its input at four bytes a token (a tokenizer can't be asked before a
 * pool is chosen); the query of a rerank task with each document. Never settled afterwards, so that a client can foretell it.
 */
export function ratedTokens(request: WorkFields): number {
  return inputTokensAbout(workOf(request)) + (request.max_tokens ?? 0);
}
