import { expect, it } from 'vitest';
import type { EngineRequest } from '../engine-adapter.port.js';
import { completionBody } from './llamacpp-request.js';

const request: EngineRequest = {
  taskId: 'a0000000-0000-4000-8000-000000000000',
  correlationId: 'c',
  model: undefined,
  prompt: 'Hi',
  maxTokens: 7,
  seed: undefined,
  sampling: undefined,
};

const bodyOf = (changes: Partial<EngineRequest>): unknown => JSON.parse(completionBody({ ...request, ...changes }));

it('leaves to the server what the task leaves open', () => {
  expect(bodyOf({})).toEqual({ prompt: 'Hi', n_predict: 7, stream: true, cache_prompt: true });
});

it('hands every sampling option over under the name that llama.cpp knows', () => {
  const sampling = {
    temperature: 0,
    top_k: 40,
    top_p: 0.9,
    min_p: 0.1,
    repeat_penalty: 1.1,
    presence_penalty: 0.2,
    frequency_penalty: 0.3,
    stop: ['\n'],
    grammar: 'root ::= "a"',
    json_schema: { type: 'object' },
  };
  expect(bodyOf({ seed: 0, sampling })).toMatchObject({ seed: 0, ...sampling });
});
