import { randomUUID } from 'node:crypto';
import type { EngineId } from '../contract/common.js';
import {
  EngineError,
  type CompletionWork,
  type EngineAdapter,
  type EngineEndpoint,
  type EngineRequest,
  type EngineWork,
} from './engine-adapter.port.js';
import { unsupported } from './engine-capabilities.js';

/** An engine under test. */
export interface TestedEngine {
  readonly engine: EngineId;
  readonly adapter: Pick<EngineAdapter, 'submit'>;
  readonly endpoint: EngineEndpoint;
  /** Name of the model as the engine knows it; undefined: it needs none. */
  readonly model: string | undefined;
}

const text = 'Hello';
const fewTokens = 4;
const manyTokens = 256;

/** From what most engines do to what few are started for. */
const works: readonly EngineWork[] = [
  completion({ prompt: text }),
  completion({ messages: [{ role: 'user', content: text }] }),
  { kind: 'embedding', inputs: [text] },
  { kind: 'rerank', query: text, documents: [text] },
];

/**
 * Proves that an engine works and can be canceled: a few tokens to the end, one stream broken off, and again a few tokens. One that was
 * started for chats only, for embeddings or for reranking is tested with that. Throws EngineError, also when the signal comes first.
 */
export async function selfTest(tested: TestedEngine, signal: AbortSignal): Promise<void> {
  const work = await firstAccepted(tested, signal);
  if (work.kind !== 'completion') return;
  await breakOff(tested, { ...work, maxTokens: manyTokens }, signal);
  await finish(tested, work, signal);
}

async function firstAccepted(tested: TestedEngine, signal: AbortSignal): Promise<EngineWork> {
  let refusal = new EngineError('INVALID_PARAMS', 'The engine can do nothing that could be tested.');
  for (const work of works.filter((each) => unsupported(tested.engine, each) === null)) {
    try {
      await finish(tested, work, signal);
      return work;
    } catch (error) {
      // Refused, not failed: it was started for something else.
      if (!(error instanceof EngineError) || error.code !== 'INVALID_PARAMS') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

function finish({ adapter, endpoint, model }: TestedEngine, work: EngineWork, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(outOfTime()), { once: true });
    const sink = { onPrompt: () => undefined, onToken: () => undefined, onEnd: () => resolve(), onError: reject };
    adapter.submit(endpoint, requestOf(work, model), sink, signal);
  });
}

function breakOff({ adapter, endpoint, model }: TestedEngine, work: EngineWork, signal: AbortSignal): Promise<void> {
  const cancel = new AbortController();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(outOfTime()), { once: true });
    const enough = (): void => {
      cancel.abort();
      resolve();
    };
    const sink = { onPrompt: () => undefined, onToken: enough, onEnd: enough, onError: reject };
    adapter.submit(endpoint, requestOf(work, model), sink, AbortSignal.any([signal, cancel.signal]));
  });
}

function completion(input: CompletionWork['input']): CompletionWork {
  return { kind: 'completion', input, maxTokens: fewTokens, seed: 1, sampling: { temperature: 0 } };
}

function requestOf(work: EngineWork, model: string | undefined): EngineRequest {
  const id = randomUUID();
  return { taskId: id, correlationId: id, model, work };
}

function outOfTime(): EngineError {
  return new EngineError('DECODE_TIMEOUT', 'The self-test did not end in time.');
}
