import { describe, expect, it } from 'vitest';
import { ApiError } from './api-error.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest, RANDOM_SEED } from './completion-request.js';
import { parseJsonObject } from './fields.js';

describe('a completion request', () => {
  it('takes llama-server’s defaults', () => {
    expect(parseCompletionRequest({ prompt: 'a' })).toEqual({
      prompt: ['a'],
      params: {
        maxTokens: -1,
        temperature: 0.8,
        topK: 40,
        topP: 0.95,
        minP: 0.05,
        seed: RANDOM_SEED,
        repeatLastN: 64,
        repeatPenalty: 1,
        presencePenalty: 0,
        frequencyPenalty: 0,
        stop: [],
        grammar: '',
        jsonSchema: undefined,
        ignoreEos: false,
        cachePrompt: true,
        slotId: -1,
        returnTokens: false,
        isStream: false,
      },
    });
  });

  it('reads null as absent', () => {
    expect(parseCompletionRequest({ prompt: 'a', temperature: null, stream: null }).params).toMatchObject({
      temperature: 0.8,
      isStream: false,
    });
  });

  it('prefers n_predict to max_tokens and cuts fractions off', () => {
    expect(parseCompletionRequest({ prompt: 'a', n_predict: 3.9, max_tokens: 9 }).params.maxTokens).toBe(3);
    expect(parseCompletionRequest({ prompt: 'a', max_tokens: 9 }).params.maxTokens).toBe(9);
  });

  it.each([
    [-1, RANDOM_SEED],
    [1.5, 1],
    [99_999_999_999, 1_215_752_191],
  ])('folds the seed %s into 32 bits', (seed, folded) => {
    expect(parseCompletionRequest({ prompt: 'a', seed }).params.seed).toBe(folded);
  });

  it('reads prompts of text, tokens, and both', () => {
    expect(parseCompletionRequest({ prompt: [1, 2] }).prompt).toEqual([1, 2]);
    expect(parseCompletionRequest({ prompt: ['a', 2] }).prompt).toEqual(['a', 2]);
    expect(parseCompletionRequest({ prompt: { prompt_string: 'a' } }).prompt).toEqual(['a']);
  });

  it('takes one stop word or many and drops what is none', () => {
    expect(parseCompletionRequest({ prompt: 'a', stop: 'x' }).params.stop).toEqual(['x']);
    expect(parseCompletionRequest({ prompt: 'a', stop: ['x', '', 5] }).params.stop).toEqual(['x']);
  });

  it('lets a grammar win over a schema', () => {
    const { params } = parseCompletionRequest({ prompt: 'a', grammar: 'root ::= "x"', json_schema: {} });
    expect(params).toMatchObject({ grammar: 'root ::= "x"', jsonSchema: undefined });
  });

  it.each([
    [{}, "[json.exception.out_of_range.403] key 'prompt' not found"],
    [{ prompt: [] }, '"prompt" must not be empty'],
    [{ prompt: ['a', 'b'] }, 'several prompts in one request are not supported'],
    [
      { prompt: 'a', n_predict: 'x' },
      "Field 'n_predict': [json.exception.type_error.302] type must be number, but is string",
    ],
    [{ prompt: 'a', stream: [] }, "Field 'stream': [json.exception.type_error.302] type must be boolean, but is array"],
  ])('refuses %j', (body, message) => {
    expect(() => parseCompletionRequest(body)).toThrow(new ApiError('invalid_request_error', message));
  });
});

describe('a chat request', () => {
  it('joins the text parts of a message', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ];
    expect(parseChatRequest({ messages: [{ role: 'user', content }] }).messages).toEqual([
      { role: 'user', content: 'a\nb' },
    ]);
  });

  it('reads OpenAI’s names of limits and formats', () => {
    const response_format = { type: 'json_schema', json_schema: { schema: { type: 'object' } } };
    const request = parseChatRequest({ messages: [], max_completion_tokens: 7, response_format });
    expect(request.params).toMatchObject({ maxTokens: 7, jsonSchema: { type: 'object' } });
  });

  it.each([
    [{}, "'messages' is required"],
    [{ messages: 5 }, "Expected 'messages' to be an array"],
    [{ messages: [{ content: 'a' }] }, "Missing 'role' in message"],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'unsupported content[].type'],
  ])('refuses %j', (body, message) => {
    expect(() => parseChatRequest(body)).toThrow(message);
  });
});

describe('a body', () => {
  it.each(['', '{', '[1]', 'null', '"a"'])('is refused when it is %j', (body) => {
    expect(() => parseJsonObject(body)).toThrow(ApiError);
  });
});
