import type { Clock } from '../../platform/clock/clock.js';
import type { LivePool } from '../pools/index.js';

/** Since when pools have been ready, or have not: a pool that comes and goes neither loses tasks nor gets any. */
export class PoolSteadiness {
  private readonly since = new Map<string, { readonly ready: boolean; readonly sinceMs: number }>();

  constructor(private readonly clock: Clock) {}

  /** Notes how a pool is now. @param pool null: there is none */
  look(pool: LivePool | null): void {
    if (pool === null) return;
    const { config, ready } = pool;
    if (this.since.get(config.id)?.ready !== ready) this.since.set(config.id, { ready, sinceMs: this.clock.now() });
  }

  /** Whether its waiting tasks should wait no longer. */
  isStuck(pool: LivePool): boolean {
    return !pool.ready && this.hasLasted(pool);
  }

  /** Whether it may be given tasks of others. */
  isSteady(pool: LivePool): boolean {
    return pool.ready && this.hasLasted(pool);
  }

  /** How long it has been as it is now, ms. */
  lastedMs({ config, ready }: LivePool): number {
    const known = this.since.get(config.id);
    return known?.ready === ready ? this.clock.now() - known.sinceMs : 0;
  }

  private hasLasted(pool: LivePool): boolean {
    return this.lastedMs(pool) >= pool.config.admission.place_again_after_ms;
  }
}
