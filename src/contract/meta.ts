import { z } from 'zod';
import { engineId, priority } from './common.js';

export const version = z
  .object({ name: z.literal('orchestratord'), version: z.string(), api: z.literal('v2'), node: z.string() })
  .meta({ id: 'Version' });
export type Version = z.infer<typeof version>;

const features = z
  .array(z.string())
  .describe(
    '`prompt`, `messages`, `embedding`, `rerank`; `prompt+top_k` is the field `sampling.top_k` with a prompt; `+strict` is `determinism: strict`.',
  );

const engineCapability = z
  .object({
    id: engineId,
    features,
    continues_prompts: z.boolean().describe('Whether it can go on from a prompt and a part of its answer.'),
  })
  .meta({ id: 'EngineCapability' });

const replicaSnapshot = z
  .object({
    id: z.string(),
    ready: z.boolean(),
    engine_version: z.string().nullable(),
    model_name: z.string().nullable().describe('What the engine calls its model.'),
    ctx_max: z.int().nullable().describe('Context of one task, in tokens.'),
    slots: z.int().nonnegative(),
  })
  .meta({ id: 'ReplicaCapability', description: 'What an engine said of itself the last time it answered.' });

const poolCapability = z
  .object({
    id: z.string(),
    engine: engineId,
    engine_version: z.string().nullable(),
    model_ref: z.string(),
    model_names: z.array(z.string()).describe('What `model_ref` of a task may say.'),
    model_digest: z.string().nullable(),
    sampler_profile_version: z.string(),
    ready: z.boolean(),
    ctx_max: z.int().nullable().describe('The largest `ctx` of a task; null while nothing says.'),
    slots: z.int().nonnegative(),
    features,
    queue: z.object({
      capacity: z.int().nonnegative(),
      full_policy: z.string(),
      priorities: z.array(z.object({ name: priority, capacity: z.int().nonnegative() })),
    }),
    looked_ms: z.int().nullable().describe('When its engines were asked last, Unix ms.'),
    replicas: z.array(replicaSnapshot),
  })
  .meta({ id: 'PoolCapability' });
export type PoolCapability = z.infer<typeof poolCapability>;

const count = z.number().nullable().describe('null: no limit.');

export const capabilities = z
  .object({
    api: z.literal('v2'),
    contract_version: z.string().describe('Version of the OpenAPI document.'),
    engines: z.array(engineCapability).describe('What this build can speak to.'),
    pools: z.array(poolCapability).describe('What is configured, as it lives.'),
    limits: z.object({
      body_bytes: z.int(),
      page_items: z.int(),
      priorities: z.array(priority),
      session_turns: z.int(),
      session_ttl_ms: z.int(),
      event_ttl_s: z.int(),
      reader_buffer_bytes: z.int(),
      requests_per_s: count,
      tokens_per_min: count,
    }),
  })
  .meta({ id: 'Capabilities' });
export type Capabilities = z.infer<typeof capabilities>;
