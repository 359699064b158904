import { z } from 'zod';
import { engineId, pageOf, pageQuery, poolIdText } from './common.js';

/** Life cycle of a pool or replica. */
export const poolState = z
  .enum(['uninitialized', 'provisioning', 'starting', 'ready', 'draining', 'offline', 'failed'])
  .meta({ id: 'PoolState' });
export type PoolState = z.infer<typeof poolState>;

const slots = z.object({ total: z.int().nonnegative(), free: z.int().nonnegative() }).meta({ id: 'Slots' });

export const replica = z
  .object({
    id: z.string(),
    url: z.string().nullable(),
    node_id: z.string().nullable(),
    device_mask: z.string().nullable(),
    state: poolState,
    live: z.boolean().describe('The engine process answers.'),
    ready: z.boolean().describe('It has its model and takes work.'),
    slots,
    vram_total_bytes: z
      .int()
      .nullable()
      .describe(
        'Memory of the GPUs under it: what nvidia-smi tells where a process of this server runs beside it, else what was said when it was ' +
          'registered; null: unknown.',
      ),
    vram_free_bytes: z.int().nullable().describe('The same, what is free of it.'),
    kv_bytes_per_token: z
      .int()
      .positive()
      .nullable()
      .describe(
        "Estimate of what a token of context takes in its KV cache: `model.kv_bytes_per_token`, else by the layers and heads in its GGUF file's " +
          'header; at most that, for models with sliding windows and the like. Null: unknown.',
      ),
    engine_version: z.string().nullable(),
    pid: z.int().nullable(),
    last_error: z.string().nullable(),
    circuit: z
      .enum(['closed', 'open', 'half_open'])
      .describe('`open`: it kept failing and gets no tasks for a while; `half_open`: one task at a time may try.'),
  })
  .meta({ id: 'Replica' });
export type Replica = z.infer<typeof replica>;

export const pool = z
  .object({
    id: poolIdText,
    engine: engineId,
    engine_version: z.string().nullable(),
    model_ref: z.string(),
    model_digest: z.string().nullable(),
    sampler_profile_version: z.string().nullable(),
    state: poolState,
    live: z.boolean(),
    ready: z.boolean(),
    draining: z.boolean(),
    last_error: z.string().nullable(),
    ctx_max: z.int().nullable().describe('Context of one task, in tokens.'),
    slots,
    queue: z.object({
      depth: z
        .object({ interactive: z.int().nonnegative(), batch: z.int().nonnegative() })
        .describe('Waiting tasks by class.'),
      capacity: z.int().nonnegative(),
      full_policy: z.string(),
    }),
    perf: z.object({
      tokens_per_s: z.number().nullable().describe('Measured decode speed of one task; null before the first.'),
      first_token_ms: z
        .number()
        .nullable()
        .describe('Measured milliseconds from start to first token; null before the first.'),
    }),
    replicas: z.array(replica),
  })
  .meta({ id: 'Pool' });
export type Pool = z.infer<typeof pool>;

export const poolPage = pageOf(pool, 'PoolPage');
export const poolListQuery = z.strictObject({ ...pageQuery });
export const poolParams = z.strictObject({ id: poolIdText.describe('The pool id.') });

export const poolHealth = z
  .object({
    live: z.boolean(),
    ready: z.boolean(),
    draining: z.boolean(),
    state: poolState,
    last_error: z.string().nullable(),
    metrics: z.object({
      slots_total: z.int(),
      slots_free: z.int(),
      queue_depth: z.int(),
      tokens_per_s: z.number().nullable(),
      first_token_ms: z.number().nullable(),
    }),
  })
  .meta({ id: 'PoolHealth' });
export type PoolHealth = z.infer<typeof poolHealth>;
