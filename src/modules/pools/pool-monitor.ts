import type { PoolConfig } from '../../contract/config.js';
import type { Redis } from 'ioredis';
import { afterProbe, unprobed, type KnownReplica, type LiveReplica } from './live-replica.js';
import { announcedKey } from './pool-keys.js';
import { readAnnouncement } from './announcement.js';
import type { LookAtEngine } from '../../engines/engine-probe.js';

export type PoolListener = (poolId: string) => void;

/**
 * Keeps an eye on the replicas of one pool: those of the configuration and those announced in Redis, each probed at its interval.
 * Redis being away changes nothing of what is known.
 */
export class PoolMonitor {
  private replicas = new Map<string, LiveReplica>();
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;
  private running: Promise<void> | null = null;

  constructor(
    readonly config: PoolConfig,
    private readonly redis: Redis,
    private readonly lookAtEngine: LookAtEngine,
    private readonly onChange: PoolListener,
  ) {
    for (const known of configuredReplicas(config)) this.replicas.set(known.id, unprobed(known));
  }

  /** The replicas as last seen, by id. */
  get all(): LiveReplica[] {
    return [...this.replicas.values()].sort((a, b) => (a.known.id < b.known.id ? -1 : 1));
  }

  /** Looks once, then again and again until `stop`. */
  async start(): Promise<void> {
    await this.look();
    this.schedule();
  }

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Looks at every replica now; joins a look that is under way. */
  look(): Promise<void> {
    this.running ??= this.lookOnce().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async lookOnce(): Promise<void> {
    const known = await this.knownReplicas();
    const looked = await Promise.all(known.map((replica) => this.lookAt(replica)));
    const before = JSON.stringify(this.all);
    this.replicas = new Map(looked.map((replica) => [replica.known.id, replica]));
    if (JSON.stringify(this.all) !== before) this.onChange(this.config.id);
  }

  private async lookAt(known: KnownReplica): Promise<LiveReplica> {
    if (known.url === null) return unprobed(known);
    const result = await this.lookAtEngine(this.config.engine.id, known.url, this.config.health.timeout_ms);
    return afterProbe(known, result, this.replicas.get(known.id));
  }

  private async knownReplicas(): Promise<KnownReplica[]> {
    const configured = configuredReplicas(this.config);
    if (this.config.provisioning.mode === 'external') return configured;
    try {
      const announced = await this.redis.hgetall(announcedKey(this.config.id));
      return Object.entries(announced).flatMap(([id, json]) => readAnnouncement(id, json) ?? []);
    } catch {
      return this.all.map(({ known }) => known);
    }
  }

  private schedule(): void {
    if (this.isStopped) return;
    this.timer = setTimeout(() => {
      void this.look().finally(() => this.schedule());
    }, this.config.health.interval_ms);
    this.timer.unref();
  }
}

function configuredReplicas(config: PoolConfig): KnownReplica[] {
  return config.replicas.map(({ id, url, slots, device_mask }) => ({
    id,
    url: url.replace(/\/+$/, ''),
    slots: slots ?? config.slots ?? null,
    deviceMask: device_mask ?? null,
    pid: null,
    managed: null,
  }));
}
