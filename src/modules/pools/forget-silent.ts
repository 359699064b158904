import type { Clock } from '../../platform/clock/clock.js';
import type { ForgetReplica } from './forget-replica.js';
import type { PoolRegistry } from './pool-registry.js';
import type { RegistrationsRepository } from './registrations.repository.js';

const longestPauseMs = 60_000;

/**
 * Forgets registered engines that have not answered for long. This process must have looked for them in vain all that time itself, and no
 * other may have found them: neither a night without any process of ours nor one that alone can't reach them takes them away.
 */
export class ForgetSilent {
  /** Since when each is silent here, by pool and id; Unix ms. */
  private silent = new Map<string, number>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly repository: Pick<RegistrationsRepository, 'answered'>,
    private readonly registry: PoolRegistry,
    private readonly forgetReplica: Pick<ForgetReplica, 'ifSilent'>,
    private readonly clock: Clock,
    private readonly afterMs: number,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.run().catch(() => undefined), Math.min(longestPauseMs, this.afterMs / 4));
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Rejects when Postgres is away: the next run sees to it. */
  async run(): Promise<void> {
    const now = this.clock.now();
    const silent = new Map<string, number>();
    for (const { config, replicas } of this.registry.all()) {
      const registered = replicas.filter(({ known }) => known.claims?.source === 'registration');
      const answering = registered.filter(({ live }) => live).map(({ known }) => known.id);
      if (answering.length > 0) await this.repository.answered(config.id, answering);
      for (const { known, live } of registered) {
        const key = `${config.id}/${known.id}`;
        if (!live) silent.set(key, this.silent.get(key) ?? now);
        if (now - (silent.get(key) ?? now) >= this.afterMs)
          await this.forgetReplica.ifSilent(config.id, known.id, this.afterMs);
      }
    }
    this.silent = silent;
  }
}
