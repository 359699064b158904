import { z } from 'zod';
import type { EngineId } from './common.js';

/** A base URL of any engine; which schemes fit which is `engineSchemes`. */
export const engineUrl = z.url({ protocol: /^(?:https?|grpcs?|mock)$/ });

/** How the base URL of each engine may begin, and so how it is spoken to. */
export const engineSchemes: Readonly<Record<EngineId, readonly string[]>> = {
  llamacpp: ['http:', 'https:'],
  vllm: ['http:', 'https:'],
  tgi: ['http:', 'https:'],
  triton: ['http:', 'https:', 'grpc:', 'grpcs:'],
  openai: ['http:', 'https:'],
  mock: ['mock:'],
};
