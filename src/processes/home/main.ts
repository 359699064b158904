import 'reflect-metadata';
import type { AppConfig } from '../../platform/config/app-config.js';
import { loadConfig } from '../../platform/config/load-config.js';
import { reportProblems } from '../../platform/config/problems.js';
import { ensureFree } from '../../platform/http/ensure-free.js';
import { createLog, type Log } from '../../platform/observability/logger.js';
import { openStores, type Stores } from '../ground/stores.js';
import { banner } from './banner.js';
import { Orchestrator } from './orchestrator.js';
import { readableFailure } from './readable-failure.js';
import { StepPrinter } from './step-printer.js';

const refusedConfiguration = 78;
/** Over the worker's grace: what does not stop by then is hanging. */
const stopMarginMs = 20_000;
/** A Ctrl-C in a terminal under npm arrives twice at once; only a later one is the person's second wish. */
const secondWishMs = 1500;

async function main(): Promise<void> {
  const loaded = loadConfig();
  if ('problems' in loaded) {
    process.stderr.write(`${reportProblems(loaded.problems)}\n`);
    process.exit(refusedConfiguration);
  }
  const { config } = loaded;
  const log = createLog({ level: config.logging.level, color: config.logging.color, role: config.roles.join('+') });
  const steps = new StepPrinter(process.stdout, Date.now);
  const shutdown = new Shutdown(config, log);
  shutdown.listen();
  await ensureFree(config.listen);
  const stores = await openStores(config, log, ({ step, message }) => steps.show(step, message, true));
  shutdown.stores = stores;
  const orchestrator = await Orchestrator.create(config, log, stores);
  shutdown.orchestrator = orchestrator;
  orchestrator.poolManager?.onProgress(({ poolId, text, isPassing }) => steps.show(poolId, text, isPassing));
  const url = await orchestrator.start();
  await poolsSettled(orchestrator);
  steps.end();
  process.stdout.write(
    `${banner({ url, config, color: config.logging.color && process.stdout.isTTY, hasApi: config.roles.includes('api') })}\n`,
  );
}

/** Waits for the first word on every package pool, good or bad, so that the banner's curl works when it is read. */
async function poolsSettled({ ground, poolManager }: Orchestrator): Promise<void> {
  if (poolManager === null) return;
  const packaged = ground.config.pools.filter(({ provisioning }) => provisioning.mode === 'package');
  const isSettled = (): boolean =>
    packaged.every(({ id }) => ['ready', 'failed'].includes(ground.pools.find(id)?.state ?? ''));
  if (isSettled()) return;
  await new Promise<void>((resolve) => {
    ground.pools.onChange(() => {
      if (isSettled()) resolve();
    });
  });
  for (const { id } of packaged) {
    const pool = ground.pools.find(id);
    if (pool?.state === 'failed')
      process.stderr.write(`\n! Pool ${id} has no engine: ${pool.lastError ?? 'unknown reason'}\n`);
  }
}

/** Ends the process in order: the work first, then what it stands on. */
class Shutdown {
  stores: Stores | null = null;
  orchestrator: Orchestrator | null = null;
  private beganMs: number | null = null;

  constructor(
    private readonly config: AppConfig,
    private readonly log: Log,
  ) {}

  listen(): void {
    process.on('SIGTERM', () => this.begin());
    process.on('SIGINT', () => this.begin());
    process.on('SIGHUP', () => this.begin());
    process.on('uncaughtException', (error) => this.crash(error));
    process.on('unhandledRejection', (error) => this.crash(error));
  }

  private begin(): void {
    const now = Date.now();
    if (this.beganMs === null) {
      this.beganMs = now;
      void this.end();
    } else if (now - this.beganMs > secondWishMs) {
      process.stderr.write('Stopping at once; unfinished tasks are taken up at the next start.\n');
      void this.stores?.stop().finally(() => process.exit(130));
      setTimeout(() => process.exit(130), 3000).unref();
    }
  }

  private async end(): Promise<void> {
    const graceMs = this.config.worker.shutdown_grace_ms;
    process.stderr.write('\nStopping: running tasks may finish. Ctrl-C again stops at once.\n');
    setTimeout(() => {
      this.log.error({ human: 'Stopping took too long; leaving.' }, 'stop timed out');
      process.exit(1);
    }, graceMs + stopMarginMs).unref();
    try {
      await this.orchestrator?.stop(graceMs);
    } catch (error) {
      this.log.error({ err: error }, 'stopping failed');
    }
    await this.stores?.stop();
    process.exit(0);
  }

  /** A fault of ours: say it, and go down in order, so that nothing accepted is lost. */
  private crash(error: unknown): void {
    this.log.fatal({ err: error, human: 'An unexpected fault; the process stops.' }, 'fault');
    process.stderr.write(`${readableFailure(error)}\n`);
    process.exitCode = 1;
    if (this.beganMs !== null) return;
    this.beganMs = Date.now();
    const leave = (): never => process.exit(1);
    setTimeout(leave, 5000).unref();
    void Promise.resolve(this.orchestrator?.stop(0))
      .catch(() => undefined)
      .then(() => this.stores?.stop())
      .finally(leave);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`\n${readableFailure(error)}\n`);
  process.exit(1);
});
