import type { Line, LineDepth } from './line.js';

const empty: LineDepth = { interactive: 0, batch: 0, tokens: 0, tokensOf: { interactive: 0, batch: 0 } };

/** How long the lines are, as of a moment ago: for choosing between pools, where the exact bounds are checked afterwards anyway. */
export class LineGauge {
  private readonly depths = new Map<string, LineDepth>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly line: Line,
    private readonly poolIds: readonly string[],
    private readonly onRead: (poolId: string, depth: LineDepth) => void,
  ) {}

  start(intervalMs: number): void {
    this.timer = setInterval(() => void this.refresh(), intervalMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  of(poolId: string): LineDepth {
    return this.depths.get(poolId) ?? empty;
  }

  async refresh(): Promise<void> {
    await Promise.all(
      this.poolIds.map(async (poolId) => {
        try {
          const depth = await this.line.depthAndTokens(poolId);
          this.depths.set(poolId, depth);
          this.onRead(poolId, depth);
        } catch {
          // Redis is away: the last reading stands.
        }
      }),
    );
  }
}
