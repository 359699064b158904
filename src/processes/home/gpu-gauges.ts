import { discoverGpus, type Gpu } from '../../modules/pool-manager/index.js';
import type { PoolRegistry } from '../../modules/pools/index.js';
import { isLoopbackHost } from '../../platform/config/bind-address.js';
import type { Environment } from '../../modules/provisioning/index.js';
import type { DeviceLabels, Metrics } from '../../platform/observability/metrics.js';

const everyMs = 5000;
/** A machine without GPUs seldom gets one. */
const restMs = 60_000;

/** Shows what nvidia-smi tells of the GPUs under the engines of this machine: those at loopback addresses, by their device masks. */
export class GpuGauges {
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;

  constructor(
    private readonly pools: Pick<PoolRegistry, 'all'>,
    private readonly metrics: Metrics,
    private readonly environment: Environment,
  ) {}

  start(): void {
    void this.run();
  }

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    const found = await discoverGpus(this.environment);
    if (this.isStopped) return;
    this.metrics.setGpus(found.available ? this.underEngines(found.gpus) : []);
    this.timer = setTimeout(() => void this.run(), found.available ? everyMs : restMs);
    this.timer.unref();
  }

  private underEngines(
    gpus: readonly Gpu[],
  ): { labels: DeviceLabels; utilization: number | null; usedBytes: number }[] {
    return this.pools.all().flatMap(({ config, replicas }) =>
      replicas
        .filter(({ known, ready }) => ready && known.url !== null && isLoopbackHost(hostOf(known.url)))
        .flatMap(({ known, engineVersion }) =>
          gpus
            .filter(({ index }) => isUnder(known.deviceMask, index))
            .map(({ index, utilization, vramTotalBytes, vramFreeBytes }) => ({
              labels: {
                engine: config.engine.id,
                engineVersion,
                poolId: config.id,
                replicaId: known.id,
                device: String(index),
              },
              utilization,
              usedBytes: vramTotalBytes - vramFreeBytes,
            })),
        ),
    );
  }
}

/** Masks of names and of MIG parts tell of no index: such an engine is left out rather than shown at a wrong card. */
function isUnder(mask: string | null, index: number): boolean {
  return mask === null || mask.split(',').some((part) => part.trim() === String(index));
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}
