import { expect, it } from 'vitest';
import type { CompletionWork } from '../engine-adapter.port.js';
import { chatBody, generateBody } from './tgi-request.js';

const input = { messages: [{ role: 'user' as const, content: 'Hi' }] };
const work: CompletionWork = { kind: 'completion', input, maxTokens: 7, seed: undefined, sampling: undefined };

const parametersOf = (sampling: CompletionWork['sampling']): unknown =>
  (JSON.parse(generateBody('Hi', { ...work, sampling })) as { parameters: unknown }).parameters;
const chatOf = (sampling: CompletionWork['sampling']): unknown => JSON.parse(chatBody({ ...work, sampling }));
const always = { max_new_tokens: 7, details: true };

it('leaves to the server what the task leaves open', () => {
  expect(JSON.parse(generateBody('Hi', work))).toEqual({ inputs: 'Hi', parameters: always });
});

it('samples when the task says how, and takes the most likely token when that is what it says', () => {
  expect(parametersOf({ temperature: 1 })).toEqual({ ...always, do_sample: true, temperature: 1 });
  expect(parametersOf({ top_k: 5 })).toEqual({ ...always, do_sample: true, top_k: 5 });
  expect(parametersOf({ temperature: 0, top_k: 5, top_p: 0.5 })).toEqual({ ...always, do_sample: false });
  expect(parametersOf({ temperature: 1, top_p: 0 })).toEqual({ ...always, do_sample: false });
});

it('says nothing of options that are switched off', () => {
  expect(parametersOf({ temperature: 1, top_k: 0, top_p: 1 })).toEqual({ ...always, do_sample: true, temperature: 1 });
  expect(chatOf({ top_p: 1 })).not.toHaveProperty('top_p');
});

it('names no model but its own in a conversation', () => {
  expect(chatOf(undefined)).toMatchObject({ model: 'tgi', messages: input.messages });
  expect(chatOf({ top_p: 0, temperature: 1 })).toMatchObject({ temperature: 0 });
});
