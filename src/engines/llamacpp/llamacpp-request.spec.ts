import { expect, it } from 'vitest';
import type { CompletionWork } from '../engine-adapter.port.js';
import { chatBody, completionBody } from './llamacpp-request.js';

const work: CompletionWork = {
  kind: 'completion',
  input: { prompt: 'Hi' },
  maxTokens: 7,
  seed: undefined,
  sampling: undefined,
};

const bodyOf = (changes: Partial<CompletionWork>): unknown =>
  JSON.parse(completionBody(undefined, 'Hi', { ...work, ...changes }));

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

it('does not let the highest seed stand for a random one', () => {
  const highest = { seed: 4_294_967_295 };
  expect(bodyOf(highest)).toMatchObject({ seed: 4_294_967_294 });
  expect(JSON.parse(chatBody(undefined, { ...work, ...highest }))).toMatchObject({ seed: 4_294_967_294 });
});

it('keeps a task that must not build on earlier prompts from doing so', () => {
  expect(bodyOf({ cache: 'cold' })).toMatchObject({ cache_prompt: false });
});
