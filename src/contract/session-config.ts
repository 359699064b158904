import { z } from 'zod';

const budget = (what: string) =>
  z.int().min(1).max(1_000_000_000_000).nullable().default(null).describe(`${what}; null: no limit.`);

/** `sessions` of the configuration. */
export const sessionsConfig = z
  .strictObject({
    ttl_ms: z
      .int()
      .min(1)
      .max(86_400_000)
      .default(600_000)
      .describe('A session is forgotten when no task enters or ends in it for so long.'),
    max_turns: z.int().min(1).max(10_000).default(8).describe('Tasks of one session at the most.'),
    budgets: z
      .strictObject({
        tokens: budget(
          'Tokens of prompts and completions of one session. A task reserves one for each byte of its prompt, and max_tokens, until it ends',
        ),
        time_ms: budget(
          'Engine time of one session. A task reserves the longest it may run, at most what is left, and is stopped there',
        ),
        cost: z
          .number()
          .positive()
          .max(1_000_000)
          .nullable()
          .default(null)
          .describe('Cost of one session by the prices of the pools; null: no limit.'),
      })
      .prefault({}),
  })
  .prefault({});
export type SessionsConfig = z.infer<typeof sessionsConfig>;
