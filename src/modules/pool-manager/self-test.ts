import { randomUUID } from 'node:crypto';
import { EngineError, type EngineEndpoint, type EngineRequest } from '../../engines/engine-adapter.port.js';
import type { Decoder } from './pool-settings.js';

const PROMPT = 'Hello';
const FEW_TOKENS = 4;
const MANY_TOKENS = 256;

/**
 * Proves that an engine decodes and can be canceled: a few tokens to the end, one stream broken off, and again a few tokens. Throws EngineError,
 * also when the signal comes first.
 */
export async function selfTest(adapter: Decoder, endpoint: EngineEndpoint, signal: AbortSignal): Promise<void> {
  await decode(adapter, endpoint, FEW_TOKENS, signal);
  await decodeAndCancel(adapter, endpoint, signal);
  await decode(adapter, endpoint, FEW_TOKENS, signal);
}

function decode(adapter: Decoder, endpoint: EngineEndpoint, maxTokens: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(outOfTime()), { once: true });
    const sink = { onPrompt: () => undefined, onToken: () => undefined, onEnd: () => resolve(), onError: reject };
    adapter.submit(endpoint, request(maxTokens), sink, signal);
  });
}

function decodeAndCancel(adapter: Decoder, endpoint: EngineEndpoint, signal: AbortSignal): Promise<void> {
  const cancel = new AbortController();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(outOfTime()), { once: true });
    const enough = (): void => {
      cancel.abort();
      resolve();
    };
    const sink = { onPrompt: () => undefined, onToken: enough, onEnd: enough, onError: reject };
    adapter.submit(endpoint, request(MANY_TOKENS), sink, AbortSignal.any([signal, cancel.signal]));
  });
}

function request(maxTokens: number): EngineRequest {
  const id = randomUUID();
  return {
    taskId: id,
    correlationId: id,
    model: undefined,
    work: { kind: 'completion', input: { prompt: PROMPT }, maxTokens, seed: 1, sampling: { temperature: 0 } },
  };
}

function outOfTime(): EngineError {
  return new EngineError('DECODE_TIMEOUT', 'The self-test did not end in time.');
}
