import { z } from 'zod';
import { uuid } from './common.js';

const left = (what: string) =>
  `${what} the session may still use, reservations of its open tasks taken off; null: no limit.`;

/** A conversation as `GET /v2/sessions/{id}` shows it: metadata only, never content. */
export const session = z
  .object({
    session_id: uuid,
    ttl_ms_remaining: z
      .int()
      .nonnegative()
      .describe(
        'Milliseconds until it is forgotten. Each task that enters or ends begins the time anew; it stands still while one is open.',
      ),
    turns: z.int().nonnegative().describe('Tasks accepted in it, however they ended.'),
    kv_bytes: z
      .int()
      .nonnegative()
      .nullable()
      .describe(
        'Estimate of what its last turn takes in the KV cache of `last_replica`: its tokens by `kv_bytes_per_token` of the replica ' +
          '(`GET /v2/pools/{id}`); at most that, for models with sliding windows and the like. Null: no turn has ended yet, the replica is not ' +
          'ready, or what a token takes is not known.',
      ),
    kv_warmth: z.boolean().describe('Whether a replica probably still holds the KV cache of its last turn.'),
    tokens_budget_remaining: z.int().nonnegative().nullable().describe(left('Tokens (prompt and completion)')),
    time_budget_remaining_ms: z.int().nonnegative().nullable().describe(left('Engine time')),
    cost_budget_remaining: z.number().nonnegative().nullable().describe(left('Cost, by the prices of the pools,')),
    last_replica: z
      .string()
      .nullable()
      .describe('Where its last turn ran, as `pool/replica`; null before the first began.'),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof session>;

export const sessionParams = z.strictObject({ id: uuid.describe('The session_id.') });
