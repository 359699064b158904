import { expect, it } from 'vitest';
import type { CompletionWork } from './engine-adapter.port.js';
import { fieldOf, requiredFeatures, unsupported } from './engine-capabilities.js';

const work: CompletionWork = {
  kind: 'completion',
  input: { prompt: 'p' },
  maxTokens: 1,
  seed: undefined,
  sampling: undefined,
};

it('asks of an engine what the work has in it, and nothing else', () => {
  expect(requiredFeatures(work)).toEqual(['prompt']);
  expect(requiredFeatures({ ...work, seed: 0, sampling: { top_k: 0, stop: [], grammar: undefined } }, true)).toEqual([
    'prompt',
    'prompt+top_k',
    'prompt+stop',
    'prompt+seed',
    'prompt+strict',
  ]);
  const input = { messages: [{ role: 'user' as const, content: 'hi' }] };
  expect(requiredFeatures({ ...work, input, sampling: { json_schema: {} } })).toEqual([
    'messages',
    'messages+json_schema',
  ]);
  expect(requiredFeatures({ kind: 'rerank', query: 'q', documents: ['d'] })).toEqual(['rerank']);
});

it('names the field that asks for a feature', () => {
  expect((['prompt', 'rerank', 'prompt+seed', 'messages+strict', 'prompt+top_p'] as const).map(fieldOf)).toEqual([
    'prompt',
    'workload',
    'seed',
    'determinism',
    'sampling.top_p',
  ]);
});

it('says in words what an engine lacks', () => {
  expect(unsupported('llamacpp', { ...work, seed: 1, sampling: { grammar: 'root ::= "a"' } })).toBeNull();
});
