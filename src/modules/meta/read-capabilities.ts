import { largestPage, priority, type EngineId } from '../../contract/common.js';
import type { Capabilities, PoolCapability } from '../../contract/meta.js';
import { engineCapabilities } from '../../engines/engine-capabilities.js';
import type { AppConfig } from '../../platform/config/app-config.js';
import { engineVersionOf, type LivePool, type PoolRegistry } from '../pools/index.js';
import { packageVersion } from './package-version.js';

/** The part of the configuration that bounds clients. */
interface Limits {
  readonly server: Pick<AppConfig['server'], 'body_limit_bytes'>;
  readonly sessions: Pick<AppConfig['sessions'], 'max_turns' | 'ttl_ms'>;
  readonly streaming: Pick<AppConfig['streaming'], 'event_ttl_s' | 'reader_buffer_bytes'>;
  readonly rate_limits: AppConfig['rate_limits'];
}

/**
 * What this server can do: what its adapters speak, and what each engine said of itself the last time it was asked. Engines are asked every
 * `health.interval_ms` anyway, so nothing is asked here.
 */
export class ReadCapabilities {
  private readonly version = packageVersion();

  constructor(
    private readonly pools: Pick<PoolRegistry, 'all'>,
    private readonly config: Limits,
  ) {}

  run(): Capabilities {
    return {
      api: 'v2',
      contract_version: this.version,
      engines: Object.entries(engineCapabilities).map(([id, { features, continuesPrompts }]) => ({
        id: id as EngineId,
        features: [...features],
        continues_prompts: continuesPrompts,
      })),
      pools: this.pools.all().map(poolCapability),
      limits: this.limits(),
    };
  }

  private limits(): Capabilities['limits'] {
    const { server, sessions, streaming, rate_limits: rates } = this.config;
    return {
      body_bytes: server.body_limit_bytes,
      page_items: largestPage,
      priorities: [...priority.options],
      session_turns: sessions.max_turns,
      session_ttl_ms: sessions.ttl_ms,
      event_ttl_s: streaming.event_ttl_s,
      reader_buffer_bytes: streaming.reader_buffer_bytes,
      requests_per_s: rates?.requests_per_s ?? null,
      tokens_per_min: rates?.tokens_per_min ?? null,
    };
  }
}

function poolCapability(pool: LivePool): PoolCapability {
  const { config } = pool;
  const { engine, model, queue } = config;
  return {
    id: config.id,
    engine: engine.id,
    engine_version: engineVersionOf(pool) ?? engine.version,
    model_ref: model.ref,
    model_names: [...new Set([model.ref, ...config.aliases])],
    model_digest: model.checksum ?? null,
    sampler_profile_version: config.sampler_profile_version,
    ready: pool.ready,
    ctx_max: pool.ctxMax,
    slots: pool.slots,
    features: [...engineCapabilities[engine.id].features],
    queue: {
      capacity: queue.capacity,
      full_policy: queue.full_policy,
      priorities: priority.options.map((name) => ({ name, capacity: classCapacity(config, name) })),
    },
    looked_ms: pool.lookedMs,
    replicas: pool.replicas.map(({ known, ready, engineVersion, modelName, ctxMax, slots }) => ({
      id: known.id,
      ready,
      engine_version: engineVersion,
      model_name: modelName,
      ctx_max: ctxMax,
      slots,
    })),
  };
}

function classCapacity({ admission, queue }: LivePool['config'], name: string): number {
  const own = admission.priorities.find((entry) => entry.name === name)?.queue_capacity ?? queue.capacity;
  return Math.min(own, queue.capacity);
}
