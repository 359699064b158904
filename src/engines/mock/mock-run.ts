import type { MockFault, MockSettings } from '../../contract/mock-config.js';
import {
  EngineError,
  type CompletionWork,
  type EngineEndpoint,
  type EngineSink,
  type EngineStream,
} from '../engine-adapter.port.js';
import { MockModel, countWords, textOf } from './mock-model.js';

/** One completion, paced by a timer. Of the settings all faults come. */
export class MockRun implements EngineStream {
  private readonly model: MockModel;
  private timer: NodeJS.Timeout | null = null;
  private isPaused = false;
  private isOver = false;
  private isStalled = false;
  private written = '';
  private tokens = 0;
  private pendingFaults: MockFault[];

  constructor(
    private readonly endpoint: EngineEndpoint,
    private readonly settings: MockSettings,
    private readonly work: CompletionWork,
    private readonly sink: EngineSink,
    private readonly signal: AbortSignal,
  ) {
    this.model = new MockModel(work);
    this.pendingFaults = [...settings.faults];
    signal.addEventListener('abort', this.abort, { once: true });
    this.wait(settings.first_token_ms);
  }

  pause(): void {
    if (this.isStalled) return;
    this.isPaused = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (!this.isOver) this.wait(0);
  }

  private wait(ms: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.step(), ms);
  }

  private step(): void {
    if (this.isOver || this.isPaused) return;
    const fault = this.pendingFaults.find((one) => one.after_tokens === this.tokens);
    if (fault !== undefined) {
      this.pendingFaults = this.pendingFaults.filter((one) => one !== fault);
      this.fail(fault);
      return;
    }
    if (this.tokens === 0) this.sink.onPrompt(this.tokensIn);
    this.token();
    if (this.isOver) return;
    if (this.tokens >= this.work.maxTokens) this.end('length');
    else this.wait(1000 / this.settings.tokens_per_s);
  }

  private token(): void {
    const text = this.model.next();
    this.tokens += 1;
    this.written += text;
    const stops = this.work.sampling?.stop ?? [];
    this.sink.onToken(text);
    if (!this.isOver && stops.some((stop) => this.written.includes(stop))) this.end('stop');
  }

  private fail({ kind, ms }: MockFault): void {
    const afterFirstByte = this.tokens > 0;
    const lost = afterFirstByte ? 'WORKER_RESET' : 'REPLICA_EXHAUSTED';
    const { idleMs } = this.endpoint.timeouts;
    const where = `replica ${this.endpoint.replicaId}`;
    switch (kind) {
      case 'delay':
        this.wait(ms);
        break;
      case 'stall': {
        this.isStalled = true;
        const message = `The engine of ${where} was silent for ${idleMs} ms.`;
        const error = new EngineError('DECODE_TIMEOUT', message, { afterFirstByte });
        this.timer = setTimeout(() => this.over(() => this.sink.onError(error)), idleMs);
        break;
      }
      case 'reset':
        this.lose(lost, `The connection to ${where} broke.`);
        break;
      case 'error':
        this.lose(lost, 'The mock engine was told to fail.');
        break;
      case 'oom':
        this.lose(lost, 'CUDA out of memory: the mock engine was told to say so.');
        break;
    }
  }

  private lose(code: 'WORKER_RESET' | 'REPLICA_EXHAUSTED', message: string): void {
    const error = new EngineError(code, message, { afterFirstByte: this.tokens > 0 });
    this.over(() => this.sink.onError(error));
  }

  private end(finishReason: 'stop' | 'length'): void {
    this.over(() => this.sink.onEnd({ tokensIn: this.tokensIn, tokensOut: this.tokens, finishReason }));
  }

  private over(tell: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.signal.removeEventListener('abort', this.abort);
    tell();
  }

  private get tokensIn(): number {
    return countWords(textOf(this.work.input));
  }

  private readonly abort = (): void => {
    this.isOver = true;
    if (this.timer !== null) clearTimeout(this.timer);
  };
}
