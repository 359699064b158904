import { z } from 'zod';
import { engineId, poolIdText, uuid } from './common.js';
import { errorCode } from './errors.js';

/** Data of the frames of `GET /v2/tasks/{id}/events` (server-sent events, WHATWG HTML §9.2). Each frame also has `id:` and `event:`. */
export const startedEvent = z
  .object({
    task_id: uuid,
    queue_position: z.int().nonnegative(),
    predicted_start_ms: z.int().nonnegative().describe('As in the answer to the POST.'),
    predicted_start_p90_ms: z.int().nonnegative().optional(),
    on_time_probability: z.number().min(0).max(1).optional(),
    pool_id: poolIdText,
    model_ref: z.string(),
    engine: engineId,
  })
  .meta({ id: 'StartedEvent' });

export const tokenEvent = z
  .object({
    t: z.string().describe('The text of the token.'),
    i: z.int().nonnegative().describe('Its index: from 0, without gaps or repeats.'),
    n: z.int().positive().optional().describe('With micro-batching: how many tokens `t` joins.'),
  })
  .meta({ id: 'TokenEvent' });

/** Any subset of these, additive only. */
export const metricsEvent = z
  .object({
    phase: z.string().optional(),
    queue_position: z.int().nonnegative().optional().describe('While it waits: tasks that start before it.'),
    queue_depth: z.int().nonnegative().optional().describe('Tasks that wait for its pool, itself included.'),
    predicted_start_ms: z
      .int()
      .nonnegative()
      .optional()
      .describe('While it waits: milliseconds from now, as in the 202. Left out before anything was measured.'),
    predicted_start_p90_ms: z.int().nonnegative().optional(),
    on_time_probability: z.number().min(0).max(1).optional(),
    pool_id: poolIdText.optional().describe('The pool it waits for from now on: it was placed again.'),
    pool_ready: z
      .boolean()
      .optional()
      .describe('`false`: its pool is not ready, and it waits for it, until its deadline; `true`: it is again.'),
    replica_id: z.string().optional(),
    kv_warmth: z
      .boolean()
      .optional()
      .describe(
        'In a session: whether the replica ran its last turn, so that its KV cache probably holds the prompt so far.',
      ),
    tokens_budget_remaining: z
      .int()
      .optional()
      .describe('What the session may still use, this task reserved; where it has such a budget. The same below.'),
    time_budget_remaining_ms: z.int().optional(),
    cost_budget_remaining: z.number().optional(),
    first_token_ms: z.int().optional(),
    tokens_per_s: z.number().optional(),
    human: z.string().optional().describe('Narration; only with `?verbose=true`.'),
  })
  .meta({ id: 'MetricsEvent' });
export type MetricsEvent = z.infer<typeof metricsEvent>;

export const finishReason = z.enum(['stop', 'length', 'canceled']).meta({ id: 'FinishReason' });

/** What work without tokens ends in. */
export const taskResult = z
  .union([
    z.object({ embeddings: z.array(z.array(z.number())).describe('One vector for each input, in their order.') }),
    z.object({
      scores: z
        .array(z.object({ index: z.int().nonnegative().describe('Place of the document, from 0.'), score: z.number() }))
        .describe('One score for each document, the best first.'),
    }),
  ])
  .meta({ id: 'TaskResult' });
export type TaskResult = z.infer<typeof taskResult>;

export const endEvent = z
  .object({
    tokens_in: z.int().nonnegative(),
    tokens_out: z.int().nonnegative(),
    decode_time_ms: z.int().nonnegative(),
    decode_ms: z.int().nonnegative().describe('The same value as decode_time_ms.'),
    first_token_ms: z.int().nonnegative().nullable(),
    finish_reason: finishReason,
    canceled: z.boolean().optional(),
    kv_warmth: z
      .boolean()
      .describe(
        "True from the second turn of a session on the same replica; false elsewhere, and with `kv_hint: 'cold'`.",
      ),
    result: taskResult.optional().describe('Of an embedding or rerank task, up to 1 MiB of JSON.'),
    artifact_id: z
      .string()
      .optional()
      .describe('In place of a larger `result`: the artifact that has it as its `content` (`GET /v2/artifacts/{id}`).'),
  })
  .meta({ id: 'EndEvent' });
export type EndEvent = z.infer<typeof endEvent>;

export const taskError = z
  .object({
    code: errorCode,
    message: z.string(),
    retriable: z.boolean(),
    retry_after_ms: z.int().nonnegative().optional(),
    engine: z.string().optional(),
    pool_id: z.string().optional(),
  })
  .meta({ id: 'TaskError' });
export type TaskError = z.infer<typeof taskError>;
