import {
  EngineError,
  type EngineRequest,
  type EngineStream,
  type EngineUsage,
} from '../../engines/engine-adapter.port.js';
import type { RoutedEngine } from '../../engines/engine-router.port.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { RunLogWriter } from '../events/index.js';

/** Why a decode was stopped from outside. */
export type StopCause = 'fenced' | 'closed' | 'deadline' | 'wall' | 'session' | 'row-ended' | 'shutdown';

export type DecodeResult =
  | { readonly kind: 'ended'; readonly usage: EngineUsage }
  | { readonly kind: 'lost'; readonly error: EngineError }
  | { readonly kind: 'stopped'; readonly cause: StopCause };

export interface DecodeFacts {
  firstTokenMs: number | null;
  tokensIn: number;
}

/** One engine answering one attempt: feeds the log, watches the clock, and resolves once, with how it went. Never rejects. */
export class Decode {
  readonly facts: DecodeFacts = { firstTokenMs: null, tokensIn: 0 };
  private readonly abort = new AbortController();
  /** Set also where it is stopped before it runs. */
  private stoppedBy: StopCause | null = null;
  private stream: EngineStream | null = null;
  private settle: ((result: DecodeResult) => void) | null = null;
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly onFirstToken: (facts: DecodeFacts) => void,
  ) {}

  /** @param limits milliseconds from now; null: none */
  run(
    engine: RoutedEngine,
    request: EngineRequest,
    writer: RunLogWriter,
    limits: { readonly deadlineMs: number | null; readonly sessionMs: number | null },
  ): Promise<DecodeResult> {
    const startedMs = this.clock.now();
    return new Promise<DecodeResult>((resolve) => {
      this.settle = resolve;
      if (this.stoppedBy !== null) {
        this.finish({ kind: 'stopped', cause: this.stoppedBy });
        return;
      }
      this.stopAfter(engine.endpoint.timeouts.wallMs, 'wall');
      if (limits.deadlineMs !== null) this.stopAfter(Math.max(0, limits.deadlineMs), 'deadline');
      if (limits.sessionMs !== null) this.stopAfter(limits.sessionMs, 'session');
      const sink = {
        onPrompt: (tokensIn: number): void => {
          this.facts.tokensIn = tokensIn;
        },
        onToken: (text: string): void => {
          if (this.settle === null) return;
          if (this.facts.firstTokenMs === null) {
            this.facts.firstTokenMs = this.clock.now() - startedMs;
            writer.noteFirstToken(this.facts.firstTokenMs, this.facts.tokensIn);
            this.onFirstToken(this.facts);
          }
          writer.token(text);
        },
        onEnd: (usage: EngineUsage): void => this.finish({ kind: 'ended', usage }),
        onError: (error: EngineError): void => this.finish({ kind: 'lost', error }),
      };
      this.stream = engine.submit(request, sink, this.abort.signal);
    });
  }

  /** Stops the engine: its connection closes now, and nothing more is written. */
  stop(cause: StopCause): void {
    this.stoppedBy ??= cause;
    this.abort.abort();
    this.finish({ kind: 'stopped', cause });
  }

  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  private stopAfter(milliseconds: number, cause: StopCause): void {
    // Longer than a Node timer can wait is as good as for ever.
    if (milliseconds > 2 ** 31 - 1) return;
    this.timers.push(setTimeout(() => this.stop(cause), milliseconds));
  }

  private finish(result: DecodeResult): void {
    const settle = this.settle;
    if (settle === null) return;
    this.settle = null;
    for (const timer of this.timers) clearTimeout(timer);
    settle(result);
  }
}
