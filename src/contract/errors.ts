import { z } from 'zod';

/** Every error code a client can meet, in an HTTP envelope or in a stream's `error` event. Codes are never renamed. */
export const errorCodes = [
  'INVALID_PARAMS',
  'DEADLINE_UNMET',
  'MISSING_TOKEN',
  'BAD_TOKEN',
  'NOT_FOUND',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'ADMISSION_REJECT',
  'QUEUE_FULL_DROP_LRU',
  'BUDGET_EXHAUSTED',
  'POOL_UNREADY',
  'POOL_UNAVAILABLE',
  'REPLICA_EXHAUSTED',
  'DECODE_TIMEOUT',
  'WORKER_RESET',
  'UNAVAILABLE',
  'INTERNAL',
] as const;

export const errorCode = z.enum(errorCodes).meta({ id: 'ErrorCode', description: 'Stable, machine-readable cause.' });
export type ErrorCode = z.infer<typeof errorCode>;

/** One problem of one field. `field` is a dotted path into the request (`sampling.top_p`), or `query.x`, `path.x`, `header.x`. */
export const errorDetail = z
  .object({
    field: z.string(),
    problem: z.string(),
    earliest_feasible_ms: z
      .int()
      .positive()
      .optional()
      .describe('DEADLINE_UNMET: the soonest `deadline_ms` that such a task would probably meet now.'),
  })
  .meta({ id: 'ErrorDetail', description: 'One problem of one field of the request.' });
export type ErrorDetail = z.infer<typeof errorDetail>;

/** The one envelope of every HTTP error. */
export const errorEnvelope = z
  .object({
    code: errorCode,
    message: z.string().describe('What went wrong and what to do about it.'),
    retriable: z.boolean().describe('Whether the same request may succeed later.'),
    retry_after_ms: z.int().nonnegative().optional().describe('When to try again, in milliseconds.'),
    policy_label: z.string().optional(),
    engine: z.string().optional(),
    pool_id: z.string().optional(),
    details: z.array(errorDetail).optional().describe('All problems of the request, a hundred at most.'),
    correlation_id: z.string().describe('Quote this when asking for help; it is in the logs.'),
  })
  .meta({ id: 'ErrorEnvelope' });
export type ErrorEnvelope = z.infer<typeof errorEnvelope>;
