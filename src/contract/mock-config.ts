import { z } from 'zod';

const fault = z.strictObject({
  kind: z
    .enum(['delay', 'stall', 'reset', 'error', 'oom'])
    .describe(
      '`delay` waits for `ms`; `stall` says nothing more; `reset` loses the connection; `error` reports one inside the stream; `oom` says that ' +
        'the GPU is out of memory.',
    ),
  after_tokens: z.int().min(0).max(1_000_000).default(0).describe('How many tokens come before. 0: before the first.'),
  every: z.int().min(1).max(1_000_000).default(1).describe('Every so manieth task of the replica. 1: all.'),
  ms: z.int().min(0).max(86_400_000).default(1000).describe('Of a delay.'),
});

/** `engine.mock` of a pool whose engine is the mock: how it behaves. */
export const mockConfig = z.strictObject({
  first_token_ms: z.int().min(0).max(86_400_000).default(50).describe('Time to the first token.'),
  tokens_per_s: z.number().min(0.01).max(1_000_000).default(50).describe('Speed of each task.'),
  faults: z.array(fault).max(32).default([]).describe('What goes wrong, and when. Nothing by default.'),
});
export type MockSettings = z.infer<typeof mockConfig>;
export type MockFault = z.infer<typeof fault>;
