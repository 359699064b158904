import { z } from 'zod';
import { engineId } from './common.js';
import { mockConfig } from './mock-config.js';

/** How the engines of a pool are spoken to. */
export const engineConfig = z.strictObject({
  id: engineId,
  version: z.string().min(1).nullable().default(null).describe('Exact version wanted; null: any.'),
  served_model_name: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Model name sent to the engine. Default: none for llamacpp, else model.ref, of `hf:org/repo…` `org/repo`.',
    ),
  api_key_env: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'must be the name of an environment variable')
    .optional()
    .describe('Environment variable that holds the key the engine asks for.'),
  api_key_file: z.string().min(1).optional().describe('File that holds it instead.'),
  kv_allocation: z
    .enum(['at_start', 'per_request'])
    .default('at_start')
    .describe(
      '`at_start`: it sets its whole KV cache aside when it starts, as llama.cpp, vLLM, TGI and Triton do; what is free on the GPU then is nothing ' +
        'that a task needs. `per_request`, of engine openai only: the cache grows with each task, so a task is not placed where it is known ' +
        'that too little memory is free.',
    ),
  max_line_bytes: z
    .int()
    .min(1024)
    .max(1_073_741_824)
    .default(16_777_216)
    .describe('Longest line of a stream that is read; a longer one ends the task with an error.'),
  mock: mockConfig.optional().describe('How the engine `mock` behaves; with no other.'),
});

/** What they serve. */
export const modelConfig = z.strictObject({
  ref: z
    .string()
    .min(1)
    .max(1024)
    .describe('`demo`, a path, `file:/abs`, `hf:org/repo/file.gguf[@revision]` or https://…'),
  checksum: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 lower-case hex digits')
    .optional(),
  cache_dir: z.string().min(1).optional().describe('Default: <data_dir>/models.'),
  kv_bytes_per_token: z
    .int()
    .min(1)
    .max(1_073_741_824)
    .optional()
    .describe(
      'What a token of context takes in the KV cache, bytes. Default: by the header of its GGUF file, where that is at hand.',
    ),
});
