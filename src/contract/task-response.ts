import { z } from 'zod';
import { engineId, pageOf, pageQuery, poolIdText, priority, since, uuid } from './common.js';
import { taskError } from './events.js';

export const taskState = z.enum(['queued', 'running', 'completed', 'failed', 'canceled']).meta({ id: 'TaskState' });
export type TaskState = z.infer<typeof taskState>;

export const streams = z
  .object({
    sse: z.string().describe('Path of the event stream.'),
    sse_verbose: z.string().describe('The same with narration.'),
  })
  .meta({ id: 'Streams' });

/** Answer of `POST /v2/tasks`: the task is kept from here on. */
export const admission = z
  .object({
    task_id: uuid,
    queue_position: z
      .int()
      .nonnegative()
      .describe('Waiting tasks that start before this one; 0 when it is next or a slot is free.'),
    predicted_start_ms: z
      .int()
      .nonnegative()
      .describe(
        'Milliseconds until the task starts: half of such tasks start sooner. A configured guess before anything was measured.',
      ),
    predicted_start_p90_ms: z
      .int()
      .nonnegative()
      .optional()
      .describe('Nine in ten such tasks start within it. Left out before anything was measured.'),
    on_time_probability: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('With a deadline: how likely its last token is out in time.'),
    backoff_ms: z
      .int()
      .nonnegative()
      .describe('How long a polite client waits before its next submit; 0 when there is room.'),
    pool_id: poolIdText,
    streams,
    preparation: z
      .object({ steps: z.array(z.never()) })
      .describe('What must be prepared before the task can run; empty when all is ready.'),
  })
  .meta({ id: 'Admission' });
export type Admission = z.infer<typeof admission>;

/** A pool that was looked at. Tasks placed by earlier versions have neither score nor prediction. */
export const placementCandidate = z
  .object({
    pool_id: z.string(),
    feasible: z.boolean(),
    reasons: z.array(z.string()).describe('Why it can not take the task, or why another was taken.'),
    score: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .optional()
      .describe(
        'How good a choice it is, the better the higher: predicted completion of the chosen pool over its own, or its share of free slots ' +
          'before anything was measured. Null where it is not feasible.',
      ),
    predicted_completion_ms: z
      .int()
      .nonnegative()
      .nullable()
      .optional()
      .describe('Milliseconds until the task would be done there; null while nothing was measured there.'),
  })
  .meta({ id: 'PlacementCandidate' });
export type PlacementCandidate = z.infer<typeof placementCandidate>;

/** Why a pool (or none) was chosen. */
export const placementRecord = z
  .object({
    pool_id: poolIdText,
    pinned: z.boolean(),
    fallback: z.boolean(),
    reasons: z.array(z.string()),
    candidates_considered: z.int().nonnegative().optional().describe('Pools that were looked at.'),
    candidates: z.array(placementCandidate).describe('The best of them: the chosen one first.'),
    earlier_pools: z
      .array(poolIdText)
      .optional()
      .describe('Pools it waited for before, in order: each stopped being ready.'),
  })
  .meta({ id: 'PlacementRecord' });
export type PlacementRecord = z.infer<typeof placementRecord>;

/** One task as `GET /v2/tasks/{id}` shows it. Times are Unix milliseconds unless named otherwise. */
export const task = z
  .object({
    task_id: uuid,
    session_id: uuid.nullable(),
    state: taskState,
    workload: z.string(),
    model_ref: z.string(),
    engine: engineId,
    priority,
    pool_id: poolIdText,
    replica_id: z.string().nullable(),
    attempts: z.int().nonnegative().describe('How often a worker began it.'),
    queue_position: z.int().nonnegative().nullable().describe('While queued: now. Null once it has begun.'),
    predicted_start_ms: z.int().nonnegative().nullable().describe('As told at acceptance.'),
    created_ms: z.int(),
    started_ms: z.int().nullable(),
    first_token_ms: z.int().nullable().describe('From start to the first token, in milliseconds.'),
    ended_ms: z.int().nullable(),
    tokens_in: z.int().nullable(),
    tokens_out: z.int().nullable(),
    decode_time_ms: z.int().nullable(),
    finish_reason: z.enum(['stop', 'length', 'canceled']).nullable(),
    error: taskError.nullable(),
    placement: placementRecord,
    streams,
    artifact_id: z.string().nullable().describe('Its transcript (`GET /v2/artifacts/{id}`); null while it is open.'),
  })
  .meta({ id: 'Task' });
export type Task = z.infer<typeof task>;

export const taskPage = pageOf(task, 'TaskPage');
export type TaskPage = z.infer<typeof taskPage>;

/** Query of `GET /v2/tasks`. */
export const taskListQuery = z.strictObject({
  ...pageQuery,
  state: taskState.optional(),
  session_id: uuid.optional(),
  pool_id: poolIdText.optional(),
  model_ref: z.string().min(1).max(1024).optional(),
  priority: priority.optional(),
  since: since.optional().describe('Only tasks created at or after: ISO 8601 or Unix milliseconds.'),
});
export type TaskListQuery = z.infer<typeof taskListQuery>;

/** Receipt of a cancel, for who asks with `Prefer: return=representation`. */
export const cancelReceipt = z
  .object({
    last_event_id: z.int().nonnegative().describe('The highest event id that any reader can ever see.'),
    tokens_out: z.int().nonnegative().describe('Tokens in the event log.'),
    engine_stopped: z
      .boolean()
      .describe(
        'True: it is known that no engine decodes for this task any more (its connection is closed, it had answered to the end, or it never began). ' +
          'False: not known within the two seconds this waits, for example because the worker does not answer.',
      ),
  })
  .meta({ id: 'CancelReceipt' });
export type CancelReceipt = z.infer<typeof cancelReceipt>;

/** Query of `GET /v2/tasks/{id}/events`. */
export const taskEventsQuery = z.strictObject({
  verbose: z.enum(['true', 'false']).default('false').describe('`true` adds `human` narration to metrics frames.'),
});

export const taskParams = z.strictObject({ id: uuid.describe('The task_id.') });
