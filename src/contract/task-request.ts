import { z } from 'zod';
import { engineId, poolIdText, priority, uuid } from './common.js';
import { inputProblems, inputSchema, taskInput, workload } from './task-input.js';

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
  .refine((wish) => wish.mode === 'prefer' || (wish.prefer_pools?.length ?? 0) === 0, {
    path: ['prefer_pools'],
    message: 'is only allowed when mode is "prefer"',
  })
  .meta({ id: 'PlacementWish' });
export type PlacementWish = z.infer<typeof placementWish>;

/** One working body for each kind of work, by name. */
export const taskExamples = {
  completion: { workload: 'completion', model_ref: 'default', prompt: 'Once upon a time', max_tokens: 64 },
  chat: {
    workload: 'completion',
    model_ref: 'default',
    messages: [
      { role: 'system', content: 'You answer in one sentence.' },
      { role: 'user', content: 'List three colours.' },
    ],
    max_tokens: 32,
    priority: 'batch',
    seed: 7,
    determinism: 'strict',
    sampling: { temperature: 0.7, stop: ['\n\n'] },
  },
  embedding: {
    workload: 'embedding',
    model_ref: 'embedder',
    inputs: ['The owl flies by night.', 'Nachts fliegt die Eule.'],
  },
  rerank: {
    workload: 'rerank',
    model_ref: 'reranker',
    query: 'Which bird flies by night?',
    documents: ['The owl flies by night.', 'The sea is wide.'],
  },
};

/** Body of `POST /v2/tasks`. */
export const taskRequest = z
  .strictObject({
    task_id: uuid.optional().describe('Your own id for the task (UUID): posting the same id and body again is safe.'),
    session_id: uuid
      .optional()
      .describe(
        'The conversation it belongs to: its turns are counted, and its budgets hold (`GET /v2/sessions/{id}`).',
      ),
    workload,
    model_ref: z
      .string()
      .min(1)
      .max(1024)
      .describe('A model by reference or by a configured alias; the demo pool answers to `default`.'),
    engine: engineId.optional().describe('Only pools of this engine.'),
    ...taskInput,
    ctx: z.int().min(1).max(10_000_000).optional().describe('Context the task needs, in tokens (prompt and output).'),
    max_tokens: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Upper bound of generated tokens. Required for completion, refused for what generates none.'),
    priority: priority.default('interactive'),
    deadline_ms: z.int().max(86_400_000).optional().describe('Milliseconds from acceptance to the last token.'),
    expected_tokens: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Your guess of the output length; makes estimates better.'),
    seed: z.int().min(0).max(4_294_967_295).optional(),
    determinism: z
      .enum(['strict', 'best_effort'])
      .optional()
      .describe(
        '`strict`: the same request gives the same tokens again on the same engine version, model and sampler profile; needs a `seed`, and ' +
          'engines that can are chosen. Left out: `best_effort`.',
      ),
    sampler_profile_version: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe(
        "Only pools of this sampler profile (`GET /v2/pools`): the same seed gives other tokens with another's.",
      ),
    sampling: sampling.optional(),
    kv_hint: z
      .enum(['reuse', 'cold'])
      .optional()
      .describe(
        '`reuse` (as when left out): the engine may build on what it kept of earlier prompts, and a turn of a session goes where the last one ran. ' +
          '`cold`: it must read the whole prompt anew.',
      ),
    on_disconnect: z
      .enum(['continue', 'cancel'])
      .default('continue')
      .describe('What happens when the last reader of the stream goes away.'),
    output_mode: z.string().max(64).optional().describe('A hint; unknown values are ignored.'),
    placement: placementWish.optional(),
  })
  .superRefine(
    (request, context) => {
      for (const { field, problem } of inputProblems(request)) {
        context.addIssue({ code: 'custom', path: [field], message: problem, input: request });
      }
    },
    // Also when fields are wrong by themselves: a client hears of everything at once.
    { when: ({ value }) => typeof value === 'object' && value !== null },
  )
  .meta({
    id: 'TaskRequest',
    ...inputSchema,
    examples: Object.values(taskExamples),
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
