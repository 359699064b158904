import type { EngineAgent } from '../../src/engines/http/lean/lean-agent.js';
import type {
  CompletionWork,
  EmbeddingWork,
  EngineAdapter,
  EngineUsage,
  RerankWork,
} from '../../src/engines/engine-adapter.port.js';
import type { Sampling } from '../../src/contract/task-request.js';

/** An option of a completion as the table of capabilities names it. */
export type Option = 'seed' | keyof Sampling;

/** A stream as an engine sends it. */
export interface Told {
  readonly texts: readonly string[];
  readonly tokensIn: number;
  readonly finish: 'stop' | 'length';
}

/** One endpoint of one engine that answers token by token, as server-sent events. */
export interface StreamDialect {
  readonly name: string;
  /** Page that shows the wire format. */
  readonly documentation: string;
  adapter(agent: EngineAgent): EngineAdapter;
  readonly input: CompletionWork['input'];
  readonly path: string;
  /** The events of a whole answer, each with its blank line; the last ones say how it ended. */
  stream(told: Told): readonly string[];
  /** What the engine answers beside, by the ends of paths. */
  readonly documents?: Readonly<Record<string, unknown>>;
  /** Errors inside a stream are texts that blame nobody. */
  readonly errorsTellNoCode?: boolean;
  /** What was under way when it is held back still comes. */
  readonly holdsLater?: boolean;
  /** An error inside a stream that has begun. */
  errorEvent(code: number, message: string): string;
  /** Body of an answer with an error status. */
  errorBody(code: number, message: string): string;
  /** What a request always has in it. */
  readonly body: Readonly<Record<string, unknown>>;
  /** For each option: the field it is sent as, or what of the body it becomes. */
  readonly fields: Partial<Record<Option, string | ((value: unknown) => object)>>;
}

/** One endpoint that answers work without tokens, with one JSON document. */
export interface AnswerDialect {
  readonly name: string;
  readonly documentation: string;
  adapter(agent: EngineAgent): EngineAdapter;
  readonly work: EmbeddingWork | RerankWork;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The document, and what the sink hears of it. */
  readonly answer: string;
  readonly usage: EngineUsage;
  /** Documents that can't be used, by what is wrong with them. */
  readonly unusable: Readonly<Record<string, string>>;
  errorBody(code: number, message: string): string;
}

/** An event of a stream. */
export function event(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}
