import { z } from 'zod';
import { engineId, poolIdText } from './common.js';
import { engineUrl } from './engine-schemes.js';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 lower-case hex digits');

const bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** An engine that runs already, and where it is to stand. */
export const workerRegistration = z
  .strictObject({
    pool_id: poolIdText.describe('A configured pool in external mode.'),
    replica_id: poolIdText.describe('Name of the replica, unique in its pool; the same once more binds it anew.'),
    engine: engineId,
    engine_version: z.string().min(1).max(128).optional().describe('Compared with what the engine says of itself.'),
    url: engineUrl.max(2048).describe('Base URL of the engine, without user, password, query or fragment.'),
    slots: z.int().min(1).max(65_536).describe('Parallel sequences; fewer when the engine says so.'),
    ctx_max: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Context of one task, in tokens, where the engine does not say.'),
    device_mask: z.string().min(1).max(256).optional().describe('Its `CUDA_VISIBLE_DEVICES`.'),
    model: z
      .strictObject({ ref: z.string().min(1).max(1024), digest: digest.optional() })
      .optional()
      .describe('What it serves. A digest must be the one of the pool; names differ from place to place.'),
    sampler_profile_version: z.string().min(1).max(64).optional(),
    vram_total_bytes: bytes.optional(),
    vram_free_bytes: bytes.optional(),
  })
  .meta({
    id: 'WorkerRegistration',
    examples: [
      {
        pool_id: 'big',
        replica_id: 'gpu-7',
        engine: 'llamacpp',
        url: 'http://gpu-7.lan:8081',
        slots: 4,
        device_mask: '0,1',
      },
    ],
  });
export type WorkerRegistration = z.infer<typeof workerRegistration>;

export const registeredWorker = z
  .object({
    ok: z.literal(true),
    identity: z.string().describe('Who registered it, as the logs name them.'),
    pool_id: z.string(),
    replica_id: z.string(),
  })
  .meta({ id: 'RegisteredWorker' });
export type RegisteredWorker = z.infer<typeof registeredWorker>;

export const workerParams = z.strictObject({
  pool_id: poolIdText.describe('The pool id.'),
  replica_id: poolIdText.describe('The replica id.'),
});
