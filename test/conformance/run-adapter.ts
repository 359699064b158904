import type {
  CompletionWork,
  EngineAdapter,
  EngineEndpoint,
  EngineError,
  EngineRequest,
  EngineSink,
  EngineStream,
  EngineUsage,
  EngineWork,
} from '../../src/engines/engine-adapter.port.js';
import { EngineAgent } from '../../src/engines/http/lean/lean-agent.js';
import { within } from '../support/wait-until.js';

/** Everything an adapter told, in order. */
export class NotingSink implements EngineSink {
  readonly tokens: string[] = [];
  readonly prompts: number[] = [];
  readonly ends: EngineUsage[] = [];
  readonly errors: EngineError[] = [];
  /** Called with each token, after it was noted. */
  tokenHook: () => void = () => undefined;
  private readonly over: Promise<void>;
  private settle: () => void = () => undefined;

  constructor() {
    this.over = new Promise((resolve) => (this.settle = resolve));
  }

  onToken = (text: string): void => {
    this.tokens.push(text);
    this.tokenHook();
  };
  onPrompt = (tokensIn: number): void => void this.prompts.push(tokensIn);
  onEnd = (usage: EngineUsage): void => {
    this.ends.push(usage);
    this.settle();
  };
  onError = (error: EngineError): void => {
    this.errors.push(error);
    this.settle();
  };

  untilOver(): Promise<void> {
    return within('the adapter to say how it ended', this.over);
  }

  /** How often it was told anything. */
  get calls(): number {
    return this.tokens.length + this.prompts.length + this.ends.length + this.errors.length;
  }
}

export const patience = { connectMs: 2000, idleMs: 20_000, wallMs: 60_000 };

export function endpointAt(url: string, change: Partial<EngineEndpoint> = {}): EngineEndpoint {
  return { poolId: 'pool', replicaId: 'r0', url, timeouts: patience, ...change };
}

export function requestOf(work: EngineWork, change: Partial<EngineRequest> = {}): EngineRequest {
  return { taskId: 'a-task', correlationId: 'a-correlation', model: 'a-model', work, ...change };
}

export function completionOf(input: CompletionWork['input'], change: Partial<CompletionWork> = {}): CompletionWork {
  return { kind: 'completion', input, maxTokens: 7, seed: undefined, sampling: undefined, ...change };
}

/** One adapter under test with the connections it uses. */
export class Bench {
  readonly agent = new EngineAgent();
  readonly adapter: EngineAdapter;

  constructor(create: (agent: EngineAgent) => EngineAdapter) {
    this.adapter = create(this.agent);
  }

  submit(endpoint: EngineEndpoint, request: EngineRequest, signal = new AbortController().signal) {
    const sink = new NotingSink();
    const stream: EngineStream = this.adapter.submit(endpoint, request, sink, signal);
    return { sink, stream };
  }

  /** Submits, and waits for the end. */
  async run(endpoint: EngineEndpoint, request: EngineRequest): Promise<NotingSink> {
    const { sink } = this.submit(endpoint, request);
    await sink.untilOver();
    return sink;
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

/** Bytes cut at these places. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.toSorted((a, b) => a - b), bytes.length];
  return cuts.slice(1).flatMap((end, index) => {
    const piece = bytes.subarray(cuts[index], end);
    return piece.length === 0 ? [] : [piece];
  });
}
