import { describe, expect, it } from 'vitest';
import { taskRequest } from '../../contract/task-request.js';
import { inputTokensAbout, inputTokensAtMost } from './input-tokens.js';
import { workOf } from './task-work.js';

const parse = (body: object) => taskRequest.parse({ workload: 'completion', model_ref: 'm', ...body });
const chat = { messages: [{ role: 'user', content: 'où ?' }], max_tokens: 9 };

describe('the work of a task', () => {
  it('is what the request asks for, in the words of the engines', () => {
    expect(workOf(parse({ prompt: 'p', max_tokens: 3, seed: 7, sampling: { top_k: 1 }, kv_hint: 'cold' }))).toEqual({
      kind: 'completion',
      input: { prompt: 'p' },
      maxTokens: 3,
      seed: 7,
      sampling: { top_k: 1 },
      cache: 'cold',
    });
    expect(workOf(parse(chat))).toMatchObject({ input: { messages: chat.messages }, cache: undefined });
    const rerank = { query: 'q', documents: ['a', 'b'] };
    expect(workOf(parse({ workload: 'rerank', ...rerank }))).toEqual({ kind: 'rerank', ...rerank });
    expect(workOf(parse({ workload: 'embedding', inputs: ['a'] }))).toEqual({ kind: 'embedding', inputs: ['a'] });
  });

  it('builds on no cache where the same tokens must come again', () => {
    const strict = { prompt: 'p', max_tokens: 3, seed: 7, determinism: 'strict', kv_hint: 'reuse' };
    expect(workOf(parse(strict))).toMatchObject({ cache: 'cold' });
  });

  it('of a record that an earlier release wrote is a completion', () => {
    expect(workOf({ prompt: 'p', max_tokens: 3 })).toMatchObject({ kind: 'completion', input: { prompt: 'p' } });
  });
});

describe('the tokens of an input', () => {
  const sizes = (body: object, ctxMax: number | null = null): [number, number] => {
    const work = workOf(parse(body));
    return [inputTokensAbout(work), inputTokensAtMost(work, ctxMax)];
  };

  it('count all that the engine reads, whatever the workload', () => {
    expect(sizes({ prompt: 'où ?', max_tokens: 1 })).toEqual([2, 5 + 4]);
    expect(sizes(chat)).toEqual([2, 5 + 16 + 128]);
    expect(sizes({ workload: 'embedding', inputs: ['12345678', '1234'] })).toEqual([3, 12 + 2 * 4]);
    expect(sizes({ workload: 'rerank', query: '1234', documents: ['1234', '12345678'] })).toEqual([5, 20 + 2 * 8]);
  });

  it('are no more than fit the context, of each text by itself', () => {
    expect(sizes({ prompt: '1234567890', max_tokens: 1 }, 8)[1]).toBe(8);
    expect(sizes({ workload: 'embedding', inputs: ['1234567890', '1'] }, 8)[1]).toBe(8 + 5);
  });
});
