import { z } from 'zod';
import { poolIdText } from './common.js';
import { errorEnvelope } from './errors.js';
import { placementCandidate } from './task-response.js';

/** Query of `POST /v2/tasks`. */
export const submitQuery = z.strictObject({
  dry_run: z
    .enum(['true', 'false'])
    .default('false')
    .describe('`true`: say what would happen now, and do nothing. The body is the same.'),
});

/** Answer of `POST /v2/tasks?dry_run=true`: what would happen to the task now. A moment later it may be something else. */
export const dryRun = z
  .object({
    outcome: z
      .enum(['accepted', 'repeated', 'refused'])
      .describe('`repeated`: a task of this id and body was accepted before, and its answer would be given again.'),
    error: errorEnvelope.nullable().describe('What it would be refused with.'),
    placement: z
      .object({
        pool_id: poolIdText.nullable(),
        pinned: z.boolean(),
        fallback: z.boolean(),
        reasons: z.array(z.string()),
        candidates_considered: z.int().nonnegative(),
        candidates: z.array(placementCandidate),
      })
      .nullable()
      .describe('Which pool would be chosen and why; `pool_id` null: none. Null where it would not come to that.'),
    replica_id: z
      .string()
      .nullable()
      .describe(
        'The replica that would run it, as far as it is known before its turn comes: null while none has a free slot for it.',
      ),
    queue_position: z.int().nonnegative().nullable(),
    predicted_start_ms: z.int().nonnegative().nullable(),
    predicted_start_p90_ms: z.int().nonnegative().nullable().describe('Null before anything was measured.'),
    on_time_probability: z.number().min(0).max(1).nullable().describe('With a deadline, once runs were measured.'),
    drops_another: z
      .boolean()
      .describe('Whether a waiting task would be ended to make room (`full_policy: drop-lru`).'),
    budget_remaining: z
      .object({
        tokens: z.int().nonnegative().nullable(),
        time_ms: z.int().nonnegative().nullable(),
        cost: z.number().nonnegative().nullable(),
      })
      .nullable()
      .describe('What its session could still use with this task reserved; null: no session.'),
  })
  .meta({ id: 'DryRun' });
export type DryRun = z.infer<typeof dryRun>;
