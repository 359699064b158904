import { z } from 'zod';

/** `rate_limits` of the configuration. */
export const rateLimitsConfig = z.strictObject({
  requests_per_s: z
    .number()
    .min(0.001)
    .max(1_000_000)
    .nullable()
    .default(null)
    .describe('Requests under /v2 per second and client, streams and cancels not counted; null: no limit.'),
  burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullable()
    .default(null)
    .describe('Requests that may come at once; null: those of one second.'),
  tokens_per_min: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .nullable()
    .default(null)
    .describe(
      'Tokens a client may submit per minute: max_tokens, and the prompt at four bytes a token; null: no limit.',
    ),
});
export type RateLimitsConfig = z.infer<typeof rateLimitsConfig>;
