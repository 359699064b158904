import { z } from 'zod';
import { engineId, poolIdText, priority, uuid } from './common.js';

/** Sampling knobs; what the engine of the chosen pool can't do is refused, never dropped. Ranges follow llama.cpp's server. */
export const sampling = z
  .strictObject({
    temperature: z.number().min(0).max(10).optional(),
    top_p: z.number().min(0).max(1).optional(),
    top_k: z.int().min(0).max(1_000_000).optional(),
    min_p: z.number().min(0).max(1).optional(),
    repeat_penalty: z.number().min(0).max(10).optional(),
    presence_penalty: z.number().min(-10).max(10).optional(),
    frequency_penalty: z.number().min(-10).max(10).optional(),
    stop: z
      .array(z.string().min(1).max(1024))
      .max(32)
      .optional()
      .describe('Texts that end the output; they are not part of it.'),
    grammar: z.string().min(1).max(262_144).optional().describe('A GBNF grammar the output must follow.'),
    json_schema: z.record(z.string(), z.unknown()).optional().describe('A JSON Schema the output must follow.'),
  })
  .refine((value) => !(value.grammar !== undefined && value.json_schema !== undefined), {
    path: ['json_schema'],
    message: 'give either grammar or json_schema, not both',
  })
  .meta({ id: 'Sampling' });

/** One turn of a conversation. */
export const chatMessage = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant', 'tool']),
    content: z.string().describe('What was said. Empty only where the role allows it.'),
  })
  .meta({ id: 'ChatMessage' });
export type ChatMessage = z.infer<typeof chatMessage>;

/** Where a task may run. `pin` considers one pool only; `prefer` tries its list first. */
export const placementWish = z
  .strictObject({
    mode: z.enum(['pin', 'prefer', 'auto']).default('auto'),
    pin_pool_id: poolIdText.optional(),
    prefer_pools: z.array(poolIdText).max(64).optional(),
    avoid_pools: z.array(poolIdText).max(64).optional(),
    require_device_mask: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('A CUDA_VISIBLE_DEVICES string the pool must have.'),
    allow_fallback: z.boolean().default(true),
  })
  .refine((wish) => wish.mode !== 'pin' || wish.pin_pool_id !== undefined, {
    path: ['pin_pool_id'],
    message: 'is required when mode is "pin"',
  })
  .refine((wish) => wish.mode === 'pin' || wish.pin_pool_id === undefined, {
    path: ['pin_pool_id'],
    message: 'is only allowed when mode is "pin"',
  })
  .refine((wish) => wish.mode !== 'prefer' || (wish.prefer_pools?.length ?? 0) > 0, {
    path: ['prefer_pools'],
    message: 'needs at least one pool when mode is "prefer"',
  })
  .meta({ id: 'PlacementWish' });
export type PlacementWish = z.infer<typeof placementWish>;

/** Body of `POST /v2/tasks`. */
export const taskRequest = z
  .strictObject({
    task_id: uuid.optional().describe('Your own id for the task (UUID): posting the same id and body again is safe.'),
    session_id: uuid
      .optional()
      .describe(
        'The conversation it belongs to: its turns are counted, and its budgets hold (`GET /v2/sessions/{id}`).',
      ),
    workload: z.enum(['completion']),
    model_ref: z
      .string()
      .min(1)
      .max(1024)
      .describe('A model by reference or by a configured alias; the demo pool answers to `default`.'),
    engine: engineId.optional().describe('Only pools of this engine.'),
    prompt: z.string().min(1),
    ctx: z.int().min(1).max(10_000_000).optional().describe('Context the task needs, in tokens (prompt and output).'),
    max_tokens: z.int().min(1).max(1_000_000).describe('Upper bound of generated tokens.'),
    priority: priority.default('interactive'),
    deadline_ms: z.int().max(86_400_000).optional().describe('Milliseconds from acceptance to the last token.'),
    expected_tokens: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Your guess of the output length; makes estimates better.'),
    seed: z.int().min(0).max(4_294_967_295).optional(),
    sampling: sampling.optional(),
    on_disconnect: z
      .enum(['continue', 'cancel'])
      .default('continue')
      .describe('What happens when the last reader of the stream goes away.'),
    output_mode: z.string().max(64).optional().describe('A hint; unknown values are ignored.'),
    placement: placementWish.optional(),
  })
  .meta({
    id: 'TaskRequest',
    examples: [
      { workload: 'completion', model_ref: 'default', prompt: 'Once upon a time', max_tokens: 64 },
      {
        workload: 'completion',
        model_ref: 'default',
        prompt: 'List three colours.',
        max_tokens: 32,
        priority: 'batch',
        seed: 7,
        sampling: { temperature: 0.7, stop: ['\n\n'] },
      },
    ],
  });
/** A validated request, defaults filled in. */
export type TaskRequest = z.infer<typeof taskRequest>;
export type Sampling = z.infer<typeof sampling>;

/** `Idempotency-Key` of `POST /v2/tasks`. */
export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .describe(
    'The same key and body again, with the same token, give the same answer and queue nothing twice; another body is a CONFLICT. ' +
      'For clients that do not make up a `task_id`; where the body has one, the `task_id` alone decides. 1 to 255 visible ASCII characters.',
  );
