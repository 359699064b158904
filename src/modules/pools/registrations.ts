import type { Redis } from 'ioredis';
import { baseUrl } from '../../engines/engine-address.js';
import type { WorkerRegistration } from '../../contract/workers.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { KnownReplica } from './live-replica.js';
import { registrationsKey } from './pool-keys.js';
import type { RegistrationsRepository } from './registrations.repository.js';

/** Read anew after so long at the latest: the word of a change may be lost with Redis. */
const rereadMs = 5000;

/**
 * The registered replicas as this process knows them. Postgres holds them; a counter in Redis tells all processes that there is something
 * new. While either is away what is known stands.
 */
export class Registrations {
  private byPool = new Map<string, readonly KnownReplica[]>();
  private version: string | null = null;
  private readMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly repository: Pick<RegistrationsRepository, 'all'>,
    private readonly redis: Redis,
    private readonly clock: Clock,
  ) {}

  of(poolId: string): readonly KnownReplica[] {
    return this.byPool.get(poolId) ?? [];
  }

  /** Learns what others have changed. Resolves with the pools that have changed; never rejects. */
  async refresh(): Promise<string[]> {
    const version = await this.redis.get(registrationsKey).catch(() => this.version);
    if (version === this.version && this.clock.now() - this.readMs < rereadMs) return [];
    try {
      return await this.read(version);
    } catch {
      return [];
    }
  }

  /** Makes a change in Postgres known, here at once. Rejects when Postgres is away. */
  async changed(): Promise<void> {
    // While Redis is away the others find out by reading anew.
    await this.redis.incr(registrationsKey).catch(() => undefined);
    await this.read(this.version);
  }

  private async read(version: string | null): Promise<string[]> {
    const before = this.byPool;
    const found = new Map<string, KnownReplica[]>();
    for (const registration of await this.repository.all()) {
      const { pool_id: poolId } = registration;
      found.set(poolId, [...(found.get(poolId) ?? []), knownReplica(registration)]);
    }
    this.byPool = found;
    this.version = version;
    this.readMs = this.clock.now();
    return [...new Set([...before.keys(), ...found.keys()])].filter(
      (poolId) => JSON.stringify(before.get(poolId)) !== JSON.stringify(found.get(poolId)),
    );
  }
}

function knownReplica(registration: WorkerRegistration): KnownReplica {
  return {
    id: registration.replica_id,
    url: baseUrl(registration.url),
    slots: registration.slots,
    deviceMask: registration.device_mask ?? null,
    pid: null,
    kvBytesPerToken: null,
    managed: null,
    claims: {
      source: 'registration',
      engine: registration.engine,
      engineVersion: registration.engine_version ?? null,
      samplerProfileVersion: registration.sampler_profile_version ?? null,
      modelDigest: registration.model?.digest ?? null,
      ctxMax: registration.ctx_max ?? null,
      vramTotalBytes: registration.vram_total_bytes ?? null,
      vramFreeBytes: registration.vram_free_bytes ?? null,
    },
  };
}
