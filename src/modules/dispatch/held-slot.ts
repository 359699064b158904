import type { Lease, Leases } from '../pools/index.js';
import type { RunMeasures } from './run-measures.js';

/** The slot that a run holds: one at a time, taken with a claim and given back once. */
export class HeldSlot {
  private held: Lease | null = null;

  constructor(
    private readonly leases: Pick<Leases, 'release'>,
    private readonly measures: Pick<RunMeasures, 'released'>,
  ) {}

  /** Kept alive by the heartbeat of the process; null: none is held now. */
  get lease(): Lease | null {
    return this.held;
  }

  take(lease: Lease): void {
    this.held = lease;
  }

  /** Gives a slot back, unless it was before. Never rejects: a lease that can't be given back runs out by itself. */
  async giveBack(lease: Lease): Promise<void> {
    if (this.held !== lease) return;
    this.held = null;
    this.measures.released(lease);
    await this.leases.release(lease).catch(() => undefined);
  }
}
