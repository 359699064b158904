import { expect, it } from 'vitest';
import { taskExamples, taskRequest } from '../../contract/task-request.js';
import { readRunRequest, runRequestOf, runRequestText } from './run-request.js';

const told = { since_ms: 1_700_000_000_000, median_ms: 90, p90_ms: 200, model_ms: 80, spread: 0.5 };
const prices = { cost_nano: 0, price_in_nano: 0, price_out_nano: 0 };
const turn = { session_id: 's', generation: 'g', tokens: 10, time_ms: 5000, ...prices };
const none = { correlationId: 'c', deadlineMs: null, told: null, turn: null };

it.each(Object.entries(taskExamples))('is read as it was written: %s', (_, body) => {
  for (const expected of [{}, { expected_tokens: 7 }]) {
    const request = taskRequest.parse('max_tokens' in body ? { ...body, ...expected } : body);
    for (const task of [none, { ...none, deadlineMs: 12, told, turn }]) {
      const written = runRequestOf({ ...task, request });
      expect(readRunRequest(runRequestText(written))).toEqual(written);
    }
  }
});

it('says nothing of what is not there', () => {
  const request = taskRequest.parse(taskExamples.completion);
  expect(Object.keys(JSON.parse(runRequestText(runRequestOf({ ...none, request }))) as object)).toEqual([
    'workload',
    'prompt',
    'max_tokens',
    'correlation_id',
    'priority',
  ]);
});
