import {
  EngineError,
  type EngineRequest,
  type EngineStream,
  type EngineUsage,
} from '../../engines/engine-adapter.port.js';
import type { RoutedEngine } from '../../engines/engine-router.port.js';
import type { Clock } from '../../platform/clock/clock.js';
import type { RunLogWriter } from '../events/index.js';
import type { PrefixCheck } from './prefix-check.js';

/** Why a decode was stopped from outside. */
export type StopCause = 'fenced' | 'closed' | 'deadline' | 'wall' | 'session' | 'row-ended' | 'shutdown';

export type DecodeResult =
  | { readonly kind: 'ended'; readonly usage: EngineUsage }
  | { readonly kind: 'lost'; readonly error: EngineError }
  /** It answers something else than what was shown. */
  | { readonly kind: 'diverged' }
  | { readonly kind: 'stopped'; readonly cause: StopCause };

/** Milliseconds from now; null: none. */
export interface DecodeLimits {
  readonly wallMs: number;
  readonly deadlineMs: number | null;
  readonly sessionMs: number | null;
}

export interface DecodeFacts {
  /** Of the first token that is shown, since this decode began. */
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
    /** Called before the first token is written. */
    private readonly onFirstToken: (facts: DecodeFacts) => void,
    /** What the answer must begin with, and is not shown again. */
    private readonly prefix: PrefixCheck,
  ) {}

  run(engine: RoutedEngine, request: EngineRequest, writer: RunLogWriter, limits: DecodeLimits): Promise<DecodeResult> {
    const startedMs = this.clock.now();
    return new Promise<DecodeResult>((resolve) => {
      this.settle = resolve;
      if (this.stoppedBy !== null) {
        this.finish({ kind: 'stopped', cause: this.stoppedBy });
        return;
      }
      this.stopAfter(limits.wallMs, 'wall');
      if (limits.deadlineMs !== null) this.stopAfter(limits.deadlineMs, 'deadline');
      if (limits.sessionMs !== null) this.stopAfter(limits.sessionMs, 'session');
      const sink = {
        onPrompt: (tokensIn: number): void => {
          this.facts.tokensIn = tokensIn;
        },
        onToken: (piece: string): void => {
          if (this.settle === null) return;
          const text = this.prefix.isPast ? piece : this.prefix.accept(piece);
          if (text === '') return;
          if (text === null) {
            this.diverged();
            return;
          }
          if (this.facts.firstTokenMs === null) {
            this.facts.firstTokenMs = this.clock.now() - startedMs;
            this.onFirstToken(this.facts);
          }
          writer.token(text);
        },
        onEnd: (usage: EngineUsage): void => {
          if (this.prefix.isPast) this.finish({ kind: 'ended', usage });
          else this.diverged();
        },
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
    this.timers.push(setTimeout(() => this.stop(cause), Math.max(0, milliseconds)));
  }

  private diverged(): void {
    this.abort.abort();
    this.finish({ kind: 'diverged' });
  }

  private finish(result: DecodeResult): void {
    const settle = this.settle;
    if (settle === null) return;
    this.settle = null;
    for (const timer of this.timers) clearTimeout(timer);
    settle(result);
  }
}
