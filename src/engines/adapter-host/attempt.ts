import {
  EngineError,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineRequest,
  type EngineSink,
  type EngineStream,
  type EngineUsage,
} from '../engine-adapter.port.js';
import { redacted } from '../redact.js';
import { backoffMs, type RetryRules } from './backoff.js';
import type { Breaker } from './breaker.js';

/** What an attempt needs of the engine it goes to. */
export interface AttemptTarget {
  readonly adapter: EngineAdapter;
  readonly endpoint: EngineEndpoint;
  readonly breaker: Breaker;
  readonly random: () => number;
}

/**
 * One task's work at one engine: hands on what comes, tells the breaker how it went, and asks again while not a byte has come. A token costs
 * one call more than without it.
 */
export class Attempt implements EngineSink, EngineStream {
  private stream: EngineStream | null = null;
  private hasAnswered = false;
  private saidPrompt = false;
  /** Whether the engine may have had the request in a try that failed. */
  private wasSent = false;
  private retries = 0;
  /** Texts handed on: one a token is the custom. */
  private texts = 0;

  constructor(
    private readonly target: AttemptTarget,
    private readonly retry: RetryRules,
    private readonly request: EngineRequest,
    private readonly sink: EngineSink,
    private readonly signal: AbortSignal,
  ) {}

  start(): this {
    const { adapter, endpoint } = this.target;
    this.stream = adapter.submit(endpoint, this.request, this, this.signal);
    return this;
  }

  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  onToken(text: string): void {
    if (!this.hasAnswered) this.answered();
    this.texts += 1;
    this.sink.onToken(text);
  }

  onPrompt(tokensIn: number): void {
    if (this.saidPrompt || !isCount(tokensIn)) return;
    this.saidPrompt = true;
    this.sink.onPrompt(tokensIn);
  }

  onEnd(usage: EngineUsage): void {
    if (!this.hasAnswered) this.answered();
    const { tokensIn, tokensOut } = usage;
    if (isCount(tokensIn) && isCount(tokensOut)) this.sink.onEnd(usage);
    else this.sink.onEnd({ ...usage, ...this.counted(usage) });
  }

  onError(error: EngineError): void {
    this.wasSent ||= error.wasSent;
    const told = asTold(error, this.wasSent, this.target.endpoint);
    if (isEngineFault(error)) this.target.breaker.failed(told.message);
    if (this.mayAskAgain(error)) this.askAgain();
    else this.sink.onError(told);
  }

  /** What is certain where the engine's own numbers are none. */
  private counted({ tokensIn, tokensOut }: EngineUsage): Pick<EngineUsage, 'tokensIn' | 'tokensOut'> {
    return { tokensIn: isCount(tokensIn) ? tokensIn : 0, tokensOut: isCount(tokensOut) ? tokensOut : this.texts };
  }

  private answered(): void {
    this.hasAnswered = true;
    this.target.breaker.succeeded();
  }

  private mayAskAgain(error: EngineError): boolean {
    if (this.hasAnswered || error.afterFirstByte || this.retries >= this.retry.max) return false;
    // Silence has cost its whole patience once already.
    if (error.code !== 'REPLICA_EXHAUSTED' && error.code !== 'WORKER_RESET') return false;
    return this.target.breaker.phase === 'closed';
  }

  private askAgain(): void {
    const delayMs = backoffMs(this.retries, this.retry, this.target.random());
    this.retries += 1;
    const giveUp = (): void => clearTimeout(timer);
    const timer = setTimeout(() => {
      this.signal.removeEventListener('abort', giveUp);
      this.start();
    }, delayMs);
    this.signal.addEventListener('abort', giveUp, { once: true });
  }
}

/** More tokens than any context holds: no engine has read or made them, and records have no room for them. */
const mostTokens = 1_000_000_000;

/** Whether a number can be one of tokens. Engines' own are believed, but not that they are less than none, or more than can be. */
function isCount(tokens: number): boolean {
  return Number.isInteger(tokens) && tokens >= 0 && tokens <= mostTokens;
}

/** Whether the engine is to blame: it was lost, broke, or was silent. Refused requests are the client's. */
function isEngineFault({ code }: EngineError): boolean {
  return code === 'REPLICA_EXHAUSTED' || code === 'WORKER_RESET' || code === 'DECODE_TIMEOUT';
}

/** Without keys, and with what the tries before came to. */
function asTold(error: EngineError, wasSent: boolean, { apiKey }: EngineEndpoint): EngineError {
  const { code, afterFirstByte, isAway } = error;
  const message = redacted(error.message, apiKey);
  if (message === error.message && wasSent === error.wasSent) return error;
  return new EngineError(code, message, { afterFirstByte, isAway, wasSent });
}
