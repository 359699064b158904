import type { Progress, ProgressListener } from './progress.js';
import { ProvisioningError } from './provisioning.errors.js';

interface Waiter {
  readonly progress: ProgressListener;
  readonly signal: AbortSignal;
}

interface Run<Result> {
  readonly waiters: Set<Waiter>;
  readonly stop: AbortController;
  readonly result: Promise<Result>;
}

/** Lets callers that want the same thing share one run: all hear its progress, and it stops when the last of them has gone. */
export class SharedRuns<Result> {
  private readonly runs = new Map<string, Run<Result>>();

  async join(key: string, waiter: Waiter, begin: (shared: Waiter) => Promise<Result>): Promise<Result> {
    if (waiter.signal.aborted) throw new ProvisioningError('canceled', 'Stopped before it began.');
    const run = this.runs.get(key) ?? this.start(key, begin);
    run.waiters.add(waiter);
    let leave = (): void => undefined;
    const gone = new Promise<never>((_, reject) => {
      leave = () => {
        run.waiters.delete(waiter);
        if (run.waiters.size === 0) this.abandon(key, run);
        reject(new ProvisioningError('canceled', 'Nobody waits for this any more.'));
      };
      waiter.signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([run.result, gone]);
    } finally {
      waiter.signal.removeEventListener('abort', leave);
      run.waiters.delete(waiter);
    }
  }

  /** A caller that comes now starts anew instead of joining a run that is being stopped. */
  private abandon(key: string, run: Run<Result>): void {
    this.forget(key, run);
    run.stop.abort();
  }

  private forget(key: string, run: Run<Result> | undefined): void {
    if (this.runs.get(key) === run) this.runs.delete(key);
  }

  private start(key: string, begin: (shared: Waiter) => Promise<Result>): Run<Result> {
    const waiters = new Set<Waiter>();
    const stop = new AbortController();
    const progress = (event: Progress): void => {
      for (const waiter of waiters) waiter.progress(event);
    };
    const result = begin({ progress, signal: stop.signal }).finally(() => this.forget(key, run));
    const run: Run<Result> = { waiters, stop, result };
    this.runs.set(key, run);
    return run;
  }
}
