import { setTimeout as delay } from 'node:timers/promises';
import type { EngineEndpoint } from '../../engines/engine-adapter.port.js';
import type { EngineLook, LookAtEngine } from '../../engines/engine-probe.js';
import { selfTest } from '../../engines/self-test.js';
import { causeInLog } from './engine-cause.js';
import type { EngineLog } from './engine-log.js';
import { exitText, type EngineProcess } from './engine-process.js';
import type { Decoder, PackagePool, Patience } from './pool-settings.js';
import { withinTime } from './within-time.js';

const dyingMs = 500;

/** The engine could not be started, or was lost. The message is for people. */
export class EngineLostError extends Error {
  override readonly name = 'EngineLostError';
  /** Another build of the engine may run where this one can't. */
  readonly isOfTheBuild: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isOfTheBuild?: boolean } = {}) {
    super(message, options);
    this.isOfTheBuild = options.isOfTheBuild ?? false;
  }
}

/** What a ready engine says of itself. */
export type ReadyLook = Extract<EngineLook, { kind: 'ready' }>;

export interface WatchTools {
  readonly adapter: Decoder;
  readonly look: LookAtEngine;
  readonly log: EngineLog;
  readonly patience: Patience;
}

/** One started engine from its first health check to its loss. */
export class EngineWatch {
  constructor(
    private readonly engine: EngineProcess,
    private readonly endpoint: EngineEndpoint,
    private readonly tools: WatchTools,
    private readonly pool: PackagePool,
  ) {}

  /** Waits for health, then runs the self-test. Throws EngineLostError; returns what the engine says of itself. */
  async untilReady(signal: AbortSignal): Promise<ReadyLook> {
    const { patience, adapter } = this.tools;
    const look = await this.bounded(patience.startMs, 'did not become healthy', signal, (within) =>
      this.pollHealth(within),
    );
    const tested = { engine: this.pool.engine.id, adapter, endpoint: this.endpoint, model: undefined };
    await this.bounded(patience.selfTestMs, 'did not pass its self-test', signal, (within) => selfTest(tested, within));
    return look;
  }

  /** Watches a ready engine; resolves when the signal comes, throws EngineLostError when the engine is lost. */
  async untilLost(signal: AbortSignal): Promise<void> {
    const { patience, log } = this.tools;
    const { signal: gone, release } = this.endOfProcess(signal);
    let failures = 0;
    try {
      while (!gone.aborted) {
        const look = await this.look();
        if (gone.aborted) break;
        failures = look.kind === 'ready' ? 0 : failures + 1;
        if (look.kind !== 'ready' && failures >= patience.healthFailures)
          throw new EngineLostError(`The engine failed ${failures} health checks in a row: ${look.detail}.`);
        await log.bound();
        await delay(this.pool.health.intervalMs, undefined, { signal: gone }).catch(() => undefined);
      }
    } finally {
      release();
    }
    if (!signal.aborted) throw await this.exitError('ended by itself');
  }

  private look(): Promise<EngineLook> {
    return this.tools.look(this.pool.engine.id, this.endpoint.url, this.pool.health.timeoutMs);
  }

  private async pollHealth(within: AbortSignal): Promise<ReadyLook> {
    for (;;) {
      const look = await this.look();
      if (look.kind === 'ready') return look;
      await delay(this.tools.patience.pollMs, undefined, { signal: within });
    }
  }

  /** Runs a step that ends early when the engine exits, time is up, or we stop. */
  private async bounded<Result>(
    limitMs: number,
    failure: string,
    signal: AbortSignal,
    step: (within: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { signal: gone, release } = this.endOfProcess(signal);
    try {
      return await withinTime(limitMs, gone, step);
    } catch (cause) {
      if (signal.aborted) throw cause;
      if (await this.isEnding()) throw await this.exitError(failure);
      const reason = cause instanceof Error && cause.name !== 'AbortError' ? cause.message : `${limitMs} ms are over`;
      throw new EngineLostError(`The engine ${failure}: ${reason}${await this.logTail()}`, { cause });
    } finally {
      release();
    }
  }

  /** Aborts with `signal`, or when the process is gone. */
  private endOfProcess(signal: AbortSignal): { signal: AbortSignal; release: () => void } {
    const controller = new AbortController();
    void this.engine.exited.then(() => controller.abort());
    const follow = (): void => controller.abort();
    if (signal.aborted) controller.abort();
    signal.addEventListener('abort', follow, { once: true });
    return { signal: controller.signal, release: () => signal.removeEventListener('abort', follow) };
  }

  /** A process that dies closes its connections a moment before it is gone, and only then its log is whole. */
  private isEnding(): Promise<boolean> {
    const gone = this.engine.exited.then(() => true);
    return Promise.race([gone, delay(dyingMs, false)]);
  }

  private async exitError(what: string): Promise<EngineLostError> {
    const exit = await this.engine.exited;
    const cause = causeInLog(await this.tools.log.ending());
    const why = cause === null ? exitText(exit) : `${exitText(exit)}; ${cause.meaning}`;
    const isOfTheBuild = cause?.isOfTheBuild ?? false;
    return new EngineLostError(`The engine ${what}: ${why}${await this.logTail()}`, { isOfTheBuild });
  }

  private async logTail(): Promise<string> {
    const tail = await this.tools.log.tail();
    return `. Log: ${this.tools.log.path}${tail === '' ? '' : `\n${tail}`}`;
  }
}
