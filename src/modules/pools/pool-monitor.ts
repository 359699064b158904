import type { PoolConfig } from '../../contract/config.js';
import type { Redis } from 'ioredis';
import { baseUrl } from '../../engines/engine-address.js';
import { claimProblem, misfit, versionProblem } from './fit.js';
import { afterProbe, unprobed, type KnownReplica, type LiveReplica } from './live-replica.js';
import { announcedKey } from './pool-keys.js';
import { readAnnouncement } from './announcement.js';
import type { LookAtEngine } from '../../engines/engine-probe.js';

export type PoolListener = (poolId: string) => void;

/**
 * Keeps an eye on the replicas of one pool: those of the configuration, those that were registered, and those announced in Redis, each probed
 * at its interval. Where several name the same replica, the first of these counts.
 * Redis being away changes nothing of what is known.
 */
export class PoolMonitor {
  private replicas = new Map<string, LiveReplica>();
  private sorted: readonly LiveReplica[] = [];
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;
  private running: Promise<void> | null = null;
  private next: Promise<void> | null = null;
  private lookedMs: number | null = null;

  constructor(
    readonly config: PoolConfig,
    private readonly redis: Redis,
    private readonly lookAtEngine: LookAtEngine,
    private readonly registered: (poolId: string) => readonly KnownReplica[],
    private readonly onChange: PoolListener,
  ) {
    this.keep(configuredReplicas(config).map(unprobed));
  }

  /** The replicas as last seen, by id: the same list until the next look. */
  get all(): readonly LiveReplica[] {
    return this.sorted;
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

  /** When all were looked at last, Unix ms; null: not yet. */
  get lookedAtMs(): number | null {
    return this.lookedMs;
  }

  /** Looks at every replica now: one that is under way may have missed what the caller wants to see, so another follows it. */
  look(): Promise<void> {
    if (this.running === null) return this.begin();
    this.next ??= this.running.then(() => {
      this.next = null;
      return this.begin();
    });
    return this.next;
  }

  private begin(): Promise<void> {
    this.running = this.lookOnce().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async lookOnce(): Promise<void> {
    const known = await this.knownReplicas();
    const looked = await Promise.all(known.map((replica) => this.lookAt(replica)));
    const before = JSON.stringify(this.all);
    this.keep(looked);
    this.lookedMs = Date.now();
    if (JSON.stringify(this.all) !== before) this.onChange(this.config.id);
  }

  private keep(replicas: readonly LiveReplica[]): void {
    this.replicas = new Map(replicas.map((replica) => [replica.known.id, replica]));
    this.sorted = [...this.replicas.values()].sort((a, b) => (a.known.id < b.known.id ? -1 : 1));
  }

  private async lookAt(known: KnownReplica): Promise<LiveReplica> {
    if (known.url === null) return unprobed(known);
    const problem = known.claims === null ? null : claimProblem(this.config, known.claims);
    if (problem !== null) return misfit(unprobed(known), problem);
    const result = await this.lookAtEngine(this.config.engine.id, known.url, this.config.health.timeout_ms);
    const before = this.replicas.get(known.id);
    // Another address is another engine: nothing is known of it.
    return this.fitting(afterProbe(known, result, before?.known.url === known.url ? before : undefined));
  }

  /** The versions of package engines are seen to where they are installed. */
  private fitting(replica: LiveReplica): LiveReplica {
    if (!replica.ready || this.config.provisioning.mode !== 'external') return replica;
    const problem = versionProblem(this.config, replica);
    return problem === null ? replica : misfit(replica, problem);
  }

  private async knownReplicas(): Promise<KnownReplica[]> {
    const announced = await this.announcedReplicas();
    if (this.config.provisioning.mode === 'package') return announced.filter(({ claims }) => claims === null);
    const byId = new Map<string, KnownReplica>();
    for (const known of announced) if (known.claims !== null) byId.set(known.id, known);
    for (const known of this.registered(this.config.id)) byId.set(known.id, known);
    for (const known of configuredReplicas(this.config)) byId.set(known.id, known);
    return [...byId.values()];
  }

  private async announcedReplicas(): Promise<KnownReplica[]> {
    try {
      const announced = await this.redis.hgetall(announcedKey(this.config.id));
      return Object.entries(announced).flatMap(([id, json]) => readAnnouncement(id, json) ?? []);
    } catch {
      return this.all
        .map(({ known }) => known)
        .filter(({ managed, claims }) => managed !== null || claims?.source === 'handoff');
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
    url: baseUrl(url),
    slots: slots ?? config.slots ?? null,
    deviceMask: device_mask ?? null,
    pid: null,
    kvBytesPerToken: null,
    managed: null,
    claims: null,
  }));
}
