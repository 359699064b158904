import type { LineGauge } from '../admission/index.js';
import type { LivePool, PoolRegistry } from '../pools/index.js';
import type { LookAtLine } from './look-at-line.js';
import type { PlaceAgain } from './place-again.js';
import type { PoolSteadiness } from './pool-steadiness.js';
import type { TellWaiting } from './tell-waiting.js';
import type { WaitingTelemetry } from './waiting.telemetry.js';

export interface LineKeeperCollaborators {
  readonly pools: Pick<PoolRegistry, 'all'>;
  readonly gauge: Pick<LineGauge, 'of'>;
  readonly steadiness: PoolSteadiness;
  readonly lookAtLine: LookAtLine;
  readonly tellWaiting: TellWaiting;
  readonly placeAgain: PlaceAgain;
  readonly telemetry: Pick<WaitingTelemetry, 'lineFailed'>;
}

/**
 * Looks after those who wait, again and again: tells their readers, and places them again when their pool is not ready for long. One process
 * does for each line (LookAtLine); where nobody waits it asks Redis nothing.
 */
export class LineKeeper {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;
  /** Pools whose line could not be looked after the last time. */
  private readonly failing = new Set<string>();

  constructor(private readonly with_: LineKeeperCollaborators) {}

  start(intervalMs: number): void {
    const again = (): void => {
      if (this.isStopped) return;
      this.timer = setTimeout(() => {
        this.running = this.run().finally(again);
      }, intervalMs);
      this.timer.unref();
    };
    again();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  /** Looks after every line once. Never rejects. */
  async run(): Promise<void> {
    const { pools, gauge, steadiness } = this.with_;
    const all = pools.all();
    for (const pool of all) steadiness.look(pool);
    for (const pool of all) {
      const { interactive, batch } = gauge.of(pool.config.id);
      if (interactive + batch === 0 || this.isStopped) continue;
      // A store that is away is asked again at the next turn.
      await this.lookAfter(pool).then(
        () => this.failing.delete(pool.config.id),
        (error: unknown) => this.noteFailure(pool.config.id, error),
      );
    }
  }

  private noteFailure(poolId: string, error: unknown): void {
    if (this.failing.has(poolId) || this.isStopped) return;
    this.failing.add(poolId);
    this.with_.telemetry.lineFailed(poolId, error);
  }

  private async lookAfter(pool: LivePool): Promise<void> {
    const { steadiness, lookAtLine, tellWaiting, placeAgain } = this.with_;
    const isStuck = steadiness.isStuck(pool);
    // Who leaves need not be told of the line it leaves.
    const look = await lookAtLine.run(pool);
    if (look === null) return;
    if (!isStuck) return tellWaiting.run(pool, look, false);
    await placeAgain.run(pool);
    const rest = await lookAtLine.run(pool);
    if (rest !== null) await tellWaiting.run(pool, rest, true);
  }
}
