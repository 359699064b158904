import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mostTexts } from '../../src/contract/task-input.js';
import { taskExamples, taskRequest } from '../../src/contract/task-request.js';
import { check } from '../../src/platform/validation/explain-issue.js';

const fieldsOf = (body: unknown): string[] => {
  const checked = check(taskRequest, body);
  return checked.ok ? [] : checked.findings.map(({ path, problem }) => `${path.join('.')}: ${problem}`);
};

/** Fields of every kind of work, thrown together. */
const anyBody = fc.record(
  {
    workload: fc.constantFrom('completion', 'embedding', 'rerank', 'chat'),
    model_ref: fc.constant('m'),
    prompt: fc.constantFrom('p', '', 7),
    messages: fc.constantFrom([{ role: 'user', content: 'u' }], [], [{ role: 'bot', content: 'u' }]),
    inputs: fc.constantFrom(['a'], ['a', 'b'], [], ['']),
    query: fc.constantFrom('q', ''),
    documents: fc.constantFrom(['d'], []),
    max_tokens: fc.constantFrom(1, 0, 1.5),
    seed: fc.constantFrom(0, -1),
    determinism: fc.constantFrom('strict', 'best_effort', 'maybe'),
    sampling: fc.constantFrom({}, { top_k: 1 }),
    kv_hint: fc.constantFrom('reuse', 'cold'),
  },
  { requiredKeys: [] },
);

describe('a task request', () => {
  it('has the input of its workload and nothing of another, whatever else it has', () => {
    fc.assert(
      fc.property(anyBody, (body) => {
        const parsed = taskRequest.safeParse(body);
        if (!parsed.success) return;
        const { workload, prompt, messages, inputs, query, documents, max_tokens: most, seed } = parsed.data;
        const has = (...fields: unknown[]): number => fields.filter((field) => field !== undefined).length;
        const isCompletion = workload === 'completion';
        expect(has(prompt, messages)).toBe(isCompletion ? 1 : 0);
        expect(has(inputs)).toBe(workload === 'embedding' ? 1 : 0);
        expect(has(query, documents)).toBe(workload === 'rerank' ? 2 : 0);
        expect(has(most)).toBe(isCompletion ? 1 : 0);
        expect(parsed.data.determinism !== 'strict' || has(seed) === 1).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('is taken by the published JSON Schema when, and only when, the server takes it', () => {
    const schema = z.toJSONSchema(taskRequest, { target: 'draft-2020-12', io: 'input' });
    const isValid = new Ajv2020({ strict: false, logger: false, validateFormats: false }).compile(schema);
    fc.assert(
      fc.property(anyBody, (body) => {
        expect([body, isValid(body)]).toEqual([body, taskRequest.safeParse(body).success]);
      }),
      { numRuns: 3000 },
    );
    for (const example of Object.values(taskExamples)) expect(isValid(example)).toBe(true);
  });

  it('names every field that is missing or contradicts another, and at once', () => {
    expect(fieldsOf({ workload: 'completion', model_ref: 'm' })).toEqual([
      'prompt: is required',
      'max_tokens: is required',
    ]);
    const both = { workload: 'completion', model_ref: 'm', prompt: 'p', messages: [{ role: 'user', content: 'u' }] };
    expect(fieldsOf({ ...both, max_tokens: 1, determinism: 'strict', inputs: ['a'] })).toEqual([
      'inputs: is not for completion, which takes prompt or messages',
      'messages: give either prompt or messages, not both',
      'seed: is required with determinism "strict"',
    ]);
    expect(fieldsOf({ workload: 'rerank', model_ref: 'm', query: 'q', prompt: 'p', seed: 1, sampling: {} })).toEqual([
      'documents: is required',
      'prompt: is not for rerank, which takes query and documents',
      'seed: is only for completion: rerank makes no text',
      'sampling: is only for completion: rerank makes no text',
    ]);
    expect(fieldsOf({ workload: 'embedding', model_ref: 'm', max_tokens: 'x', extra: 1 })).toEqual([
      'max_tokens: must be a number',
      'extra: is not known here',
      'inputs: is required',
      'max_tokens: is only for completion: embedding makes no text',
    ]);
    const silent = { role: 'user', content: '' };
    expect(fieldsOf({ workload: 'completion', model_ref: 'm', max_tokens: 1, messages: [silent] })).toEqual([
      'messages.0.content: must not be empty',
    ]);
  });

  it('says nothing of a workload that it does not know but its name', () => {
    expect(fieldsOf({ workload: 'chat', model_ref: 'm' })).toEqual([
      'workload: must be one of "completion", "embedding", "rerank"',
    ]);
  });

  it('has a bounded number of texts', () => {
    const embed = (count: number) => ({
      workload: 'embedding',
      model_ref: 'm',
      inputs: Array<string>(count).fill('a'),
    });
    expect(fieldsOf(embed(mostTexts))).toEqual([]);
    expect(fieldsOf(embed(mostTexts + 1))).toEqual([`inputs: must have at most ${mostTexts} items`]);
  });
});
