import { discoverGpus, gpusUnder, type Gpu } from '../../modules/pool-manager/index.js';
import type { GpuMemory, LiveReplica, PoolRegistry, Vram } from '../../modules/pools/index.js';
import { bareHost, isLoopbackHost } from '../../platform/config/bind-address.js';
import type { Environment } from '../../modules/provisioning/index.js';
import type { DeviceLabels, Metrics } from '../../platform/observability/metrics.js';

const everyMs = 5000;
/** A machine without GPUs seldom gets one. */
const restMs = 60_000;

type GpuFigures = Parameters<Metrics['setGpus']>[0][number];

/**
 * Tells all processes how much memory the GPUs under the engines of this machine have free, and shows what nvidia-smi tells of them. Those
 * at loopback addresses that answer here are of this machine; their device masks say which cards are theirs.
 */
export class GpuWatch {
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;

  constructor(
    private readonly pools: Pick<PoolRegistry, 'all'>,
    private readonly memory: Pick<GpuMemory, 'tell'>,
    private readonly environment: Environment,
    /** Null: another process of this machine shows them. */
    private readonly metrics: Pick<Metrics, 'setGpus'> | null,
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
    await this.look(found.available ? found.gpus : []);
    if (this.isStopped) return;
    this.timer = setTimeout(() => void this.run(), found.available ? everyMs : restMs);
    this.timer.unref();
  }

  private async look(gpus: readonly Gpu[]): Promise<void> {
    const figures: GpuFigures[] = [];
    for (const { config, replicas } of this.pools.all()) {
      const seen = new Map<string, Vram>();
      for (const replica of replicas.filter(isHere)) {
        const { known, engineVersion } = replica;
        const { found, isWhole } = gpusUnder(known.deviceMask, gpus);
        if (isWhole) seen.set(known.id, sumOf(found));
        const labels = { engine: config.engine.id, engineVersion, poolId: config.id, replicaId: known.id };
        figures.push(...found.map((gpu) => figuresOf(labels, gpu)));
      }
      await this.memory.tell(config.id, seen).catch(() => undefined);
    }
    this.metrics?.setGpus(figures);
  }
}

function isHere({ known, ready }: LiveReplica): boolean {
  return ready && known.url !== null && isLoopbackHost(bareHost(new URL(known.url)));
}

function sumOf(gpus: readonly Gpu[]): Vram {
  const sum = (of: (gpu: Gpu) => number): number => gpus.reduce((total, gpu) => total + of(gpu), 0);
  return { totalBytes: sum((gpu) => gpu.vramTotalBytes), freeBytes: sum((gpu) => gpu.vramFreeBytes) };
}

function figuresOf(
  labels: Omit<DeviceLabels, 'device'>,
  { index, utilization, vramTotalBytes, vramFreeBytes }: Gpu,
): GpuFigures {
  const usedBytes = vramTotalBytes - vramFreeBytes;
  return { labels: { ...labels, device: String(index) }, utilization, usedBytes };
}
