import { z } from 'zod';
import { poolIdText, priority } from './common.js';
import { engineConfig, modelConfig } from './engine-config.js';
import { engineUrl } from './engine-schemes.js';
import { rateLimitsConfig } from './rate-limits-config.js';
import { registrationConfig } from './registration-config.js';
import { sessionsConfig } from './session-config.js';
import { workerConfig } from './worker-config.js';

/** The configuration file (DESIGN §13): every key optional, unknown keys refused. Sizes in bytes, times in milliseconds unless named. */
export const role = z.enum(['api', 'worker', 'pool-manager']);
export type Role = z.infer<typeof role>;

const milliseconds = (fallback: number, least = 1) => z.int().min(least).max(86_400_000).default(fallback);

const serverConfig = z
  .strictObject({
    bind: z
      .string()
      .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'must be host:port, for example 127.0.0.1:8080')
      .default('127.0.0.1:8080')
      .describe('Address to listen on. Port 0 picks a free one.'),
    body_limit_bytes: z.int().min(1024).max(1_073_741_824).default(4_194_304),
    cors_origins: z.array(z.string().min(1)).default([]),
  })
  .prefault({});

const authConfig = z
  .strictObject({
    optional_on_loopback: z.boolean().default(true).describe('Requests from loopback need no token.'),
    trust_proxy: z
      .boolean()
      .default(false)
      .describe('Trust X-Forwarded-For. Only behind a proxy that sets it: otherwise any client can claim any address.'),
  })
  .prefault({});

const storageConfig = z
  .strictObject({
    postgres: z.string().min(1).default('embedded').describe('`embedded`, or a postgres:// URL.'),
    redis: z
      .string()
      .min(1)
      .default('embedded')
      .describe('`embedded`, or a redis:// URL (Redis or Valkey, 6.2 or newer).'),
    data_dir: z
      .string()
      .min(1)
      .default('.orchestratord')
      .describe('Where the embedded stores, models and engines live.'),
    runtime_dir: z.string().min(1).optional().describe('Default: <data_dir>/runtime.'),
  })
  .prefault({});

const policyConfig = z
  .strictObject({
    gpu: z
      .enum(['required', 'allowed-cpu'])
      .default('required')
      .describe('`required` refuses to run engines on the CPU.'),
    allow_downloads: z.boolean().default(true).describe('Whether models may be fetched.'),
    allowed_hosts: z.array(z.string().min(1)).default([]).describe('Hosts models may come from; empty: any.'),
    allow_package_installs: z
      .boolean()
      .default(false)
      .describe('Whether engines may be installed from package registries.'),
    allow_pin: z.boolean().default(true).describe('Whether tasks may pin a pool (`placement.mode: pin`).'),
  })
  .prefault({});

const streamingConfig = z
  .strictObject({
    heartbeat_ms: milliseconds(15_000, 100),
    queue_frame_ms: milliseconds(1_000, 200).describe(
      'Shortest time between two metrics frames of a waiting task; it grows with each after the 32nd.',
    ),
    event_ttl_s: z
      .int()
      .min(60)
      .max(2_592_000)
      .default(3600)
      .describe('How long an ended task keeps its event log in Redis.'),
    reader_buffer_bytes: z
      .int()
      .min(4096)
      .max(1_073_741_824)
      .default(1_048_576)
      .describe('A reader that lags behind by more is dropped and may resume.'),
  })
  .prefault({});

const artifactsConfig = z
  .strictObject({
    store: z
      .enum(['fs', 'postgres'])
      .optional()
      .describe(
        'Where contents above 64 KiB go: `fs` to `artifacts.dir`, `postgres` to the database like all others. ' +
          'Default: `fs` with an embedded Postgres, else `postgres`, which every process reaches.',
      ),
    dir: z
      .string()
      .min(1)
      .optional()
      .describe('Directory of large contents, the same one for all processes. Default: <data_dir>/artifacts.'),
  })
  .prefault({});

const replicaConfig = z.strictObject({
  id: poolIdText.describe('Name of the replica, unique in its pool.'),
  url: engineUrl.describe(
    'Base URL of the engine. Triton is also spoken to by gRPC: grpc://host:8001; the engine `mock` is at mock://.',
  ),
  slots: z.int().min(1).max(65_536).optional().describe('Parallel sequences; default: what the engine says.'),
  device_mask: z.string().min(1).optional(),
});

const priorityConfig = z.strictObject({ name: priority, queue_capacity: z.int().min(0).max(10_000_000).optional() });

const tokenPrice = z.number().min(0).max(1000).default(0);

export const poolConfig = z
  .strictObject({
    id: poolIdText,
    aliases: z.array(z.string().min(1).max(1024)).default([]).describe('Other names tasks may use as model_ref.'),
    engine: engineConfig,
    model: modelConfig,
    ctx: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Context of one task, in tokens; default: what the engine says.'),
    slots: z
      .int()
      .min(1)
      .max(65_536)
      .optional()
      .describe('Parallel tasks of one replica; default: what the engine says, 4 for a package engine.'),
    devices: z
      .array(z.int().min(0))
      .optional()
      .describe('GPU indexes of a package engine; [] runs on the CPU where policy.gpu allows it.'),
    sampler_profile_version: z.string().min(1).max(64).default('v1'),
    price: z
      .strictObject({
        per_1k_tokens_in: tokenPrice.describe(
          'Of a thousand prompt tokens, in any unit: sessions.budgets.cost counts in it.',
        ),
        per_1k_tokens_out: tokenPrice.describe('Of a thousand completion tokens.'),
      })
      .prefault({}),
    queue: z
      .strictObject({
        capacity: z.int().min(0).max(10_000_000).default(256).describe('Waiting tasks the pool keeps at most.'),
        full_policy: z
          .enum(['reject', 'drop-lru', 'shed-low-priority'])
          .default('reject')
          .describe(
            'What a newcomer meets at the bound: `reject` refuses it; `drop-lru` ends the oldest waiting batch task for it, an interactive ' +
              'one for an interactive one only; `shed-low-priority` refuses batch from `shed_watermark` on.',
          ),
        shed_watermark: z
          .number()
          .min(0)
          .max(1)
          .default(0.9)
          .describe('Share of `capacity` from which `shed-low-priority` refuses batch tasks.'),
      })
      .prefault({}),
    admission: z
      .strictObject({
        priorities: z.array(priorityConfig).default([]),
        start_hint_ms: z
          .int()
          .min(0)
          .max(86_400_000)
          .default(1000)
          .describe('Time per waiting task assumed before anything was measured.'),
        batch_share: z
          .number()
          .min(0)
          .max(1)
          .default(0.1)
          .describe(
            'Share of the slots that batch tasks get while interactive ones wait, once they have waited for batch_max_wait_ms; ' +
              'where that is less than one slot, a share of the starts. 0: none.',
          ),
        batch_max_wait_ms: milliseconds(30_000, 0).describe(
          'How long batch tasks wait for interactive ones at the most.',
        ),
        place_again_after_ms: milliseconds(5_000, 200).describe(
          'How long the pool must have been unready before its waiting tasks are placed in others, and ready before it is given any.',
        ),
      })
      .prefault({}),
    timeouts: z
      .strictObject({
        wall_ms: milliseconds(600_000).describe('Longest run of one task.'),
        idle_ms: milliseconds(30_000).describe('Longest silence of the engine within a run.'),
        connect_ms: milliseconds(5_000),
      })
      .prefault({}),
    retries: z
      .strictObject({
        max: z
          .int()
          .min(0)
          .max(100)
          .default(2)
          .describe('How often the last replica is asked again that is lost before its first byte.'),
        base_ms: milliseconds(100).describe('Longest pause before the first retry; it doubles with each.'),
        longest_ms: milliseconds(2_000),
      })
      .prefault({}),
    circuit: z
      .strictObject({
        failures: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(5)
          .describe('A replica that fails so often within window_ms, and half of its tasks, gets none for a while.'),
        window_ms: milliseconds(10_000, 100),
        open_ms: milliseconds(2_000, 1_000).describe('The first while; it doubles until one task goes well.'),
        longest_open_ms: milliseconds(60_000, 1_000),
      })
      .prefault({}),
    provisioning: z
      .strictObject({
        mode: z
          .enum(['external', 'package'])
          .default('external')
          .describe('`external` attaches to engines that run; `package` installs and starts one.'),
        package: z
          .strictObject({
            name: z
              .enum(['llama-server', 'node-llama-cpp'])
              .optional()
              .describe('Default: llama-server when on PATH, else node-llama-cpp.'),
          })
          .prefault({}),
      })
      .prefault({}),
    health: z.strictObject({ interval_ms: milliseconds(2_000, 100), timeout_ms: milliseconds(2_000, 50) }).prefault({}),
    replicas: z.array(replicaConfig).default([]).describe('External mode: the engines of this pool.'),
  })
  .meta({ id: 'PoolConfig' });
export type PoolConfig = z.infer<typeof poolConfig>;

export const config = z
  .strictObject({
    profile: z.enum(['home']).default('home'),
    roles: z.array(role).min(1).default(['api', 'worker', 'pool-manager']),
    server: serverConfig,
    auth: authConfig,
    storage: storageConfig,
    policy: policyConfig,
    streaming: streamingConfig,
    sessions: sessionsConfig,
    artifacts: artifactsConfig,
    worker: workerConfig,
    registration: registrationConfig,
    rate_limits: rateLimitsConfig
      .nullable()
      .default(null)
      .describe('Per token, and per address where no token is given. null: none.'),
    pools: z.array(poolConfig).default([]),
  })
  .meta({ id: 'Config', title: 'orchestratord configuration' });
/** A whole, checked configuration, defaults filled in. */
export type Config = z.infer<typeof config>;
