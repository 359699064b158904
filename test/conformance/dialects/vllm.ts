import { VllmAdapter } from '../../../src/engines/vllm/vllm.adapter.js';
import { event, type AnswerDialect, type StreamDialect } from '../dialect.js';

const documentation = 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server/';

/** `ErrorResponse` of vLLM's OpenAI server. */
const errorOf = (code: number, message: string) => ({
  error: { message, type: code < 500 ? 'BadRequestError' : 'InternalServerError', param: null, code },
});
const errorBody = (code: number, message: string): string => JSON.stringify(errorOf(code, message));

const usageOf = (tokensIn: number, tokensOut: number) => ({
  prompt_tokens: tokensIn,
  total_tokens: tokensIn + tokensOut,
  completion_tokens: tokensOut,
  prompt_tokens_details: null,
});

const fields = {
  seed: 'seed',
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  min_p: 'min_p',
  repeat_penalty: 'repetition_penalty',
  presence_penalty: 'presence_penalty',
  frequency_penalty: 'frequency_penalty',
  stop: 'stop',
  grammar: (grammar: unknown) => ({ structured_outputs: { grammar }, guided_grammar: grammar }),
  json_schema: (schema: unknown) => ({
    response_format: { type: 'json_schema', json_schema: { name: 'output', schema } },
  }),
};

const completionChunk = (choices: readonly unknown[], usage: unknown = null) => ({
  id: 'cmpl-4c3f2f0e5b6a4b0f8e7d6c5b4a392817',
  object: 'text_completion',
  created: 1_764_000_000,
  model: 'a-model',
  choices,
  usage,
});

const completionChoice = (text: string, finish: string | null) => ({
  index: 0,
  text,
  logprobs: null,
  finish_reason: finish,
  stop_reason: null,
});

export const vllmCompletion: StreamDialect = {
  name: 'vllm, POST /v1/completions',
  documentation: `${documentation}#completions-api`,
  adapter: (agent) => new VllmAdapter(agent),
  input: { prompt: 'Hi' },
  path: '/v1/completions',
  // The last text and the reason come in one chunk.
  stream: ({ texts, tokensIn, finish }) => [
    ...texts.slice(0, -1).map((text) => event(completionChunk([completionChoice(text, null)]))),
    event(completionChunk([completionChoice(texts.at(-1) ?? '', finish)])),
    event(completionChunk([], usageOf(tokensIn, texts.length))),
    event('[DONE]'),
  ],
  errorEvent: (code, message) => event(errorOf(code, message)) + event('[DONE]'),
  errorBody,
  body: { model: 'a-model', prompt: 'Hi', max_tokens: 7, stream: true, stream_options: { include_usage: true } },
  fields,
};

const chatChunk = (choices: readonly unknown[], beside: object = {}) => ({
  id: 'chatcmpl-9b1f0d5e7c6a4e0bb0a1c2d3e4f50617',
  object: 'chat.completion.chunk',
  created: 1_764_000_000,
  model: 'a-model',
  choices,
  ...beside,
});

export const vllmChat: StreamDialect = {
  name: 'vllm, POST /v1/chat/completions',
  documentation: `${documentation}#chat-api`,
  adapter: (agent) => new VllmAdapter(agent),
  input: { messages: [{ role: 'user', content: 'Hi' }] },
  path: '/v1/chat/completions',
  stream: ({ texts, tokensIn, finish }) => [
    event(
      chatChunk([{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }], {
        prompt_token_ids: null,
      }),
    ),
    ...texts.map((content) =>
      event(chatChunk([{ index: 0, delta: { content }, logprobs: null, finish_reason: null, token_ids: null }])),
    ),
    event(
      chatChunk([
        { index: 0, delta: { content: '' }, logprobs: null, finish_reason: finish, stop_reason: null, token_ids: null },
      ]),
    ),
    event(chatChunk([], { usage: usageOf(tokensIn, texts.length) })),
    event('[DONE]'),
  ],
  errorEvent: (code, message) => event(errorOf(code, message)) + event('[DONE]'),
  errorBody,
  body: {
    model: 'a-model',
    messages: [{ role: 'user', content: 'Hi' }],
    max_tokens: 7,
    stream: true,
    stream_options: { include_usage: true },
  },
  fields,
};

export const vllmEmbedding: AnswerDialect = {
  name: 'vllm, POST /v1/embeddings',
  documentation: `${documentation}#embeddings-api`,
  adapter: (agent) => new VllmAdapter(agent),
  work: { kind: 'embedding', inputs: ['a', 'ü'] },
  path: '/v1/embeddings',
  body: { model: 'a-model', input: ['a', 'ü'], encoding_format: 'float' },
  answer: JSON.stringify({
    id: 'embd-5c21fc9a5c9d4384a1b021daccaf9f64',
    object: 'list',
    created: 1_764_000_000,
    model: 'a-model',
    data: [
      { index: 0, object: 'embedding', embedding: [0.5, 0.25] },
      { index: 1, object: 'embedding', embedding: [-0.00932, 0.0023] },
    ],
    usage: { prompt_tokens: 8, total_tokens: 8, completion_tokens: 0, prompt_tokens_details: null },
  }),
  usage: {
    tokensIn: 8,
    tokensOut: 0,
    finishReason: 'stop',
    result: {
      embeddings: [
        [0.5, 0.25],
        [-0.00932, 0.0023],
      ],
    },
  },
  unusable: { 'a vector is missing': JSON.stringify({ data: [{ embedding: [1], index: 1 }] }) },
  errorBody,
};

export const vllmRerank: AnswerDialect = {
  name: 'vllm, POST /v1/rerank',
  documentation: `${documentation}#re-rank-api`,
  adapter: (agent) => new VllmAdapter(agent),
  work: { kind: 'rerank', query: 'What is the capital of Fränce?', documents: ['Brasília', 'Paris', 'horses'] },
  path: '/v1/rerank',
  body: {
    model: 'a-model',
    query: 'What is the capital of Fränce?',
    documents: ['Brasília', 'Paris', 'horses'],
    top_n: 3,
  },
  answer: JSON.stringify({
    id: 'rerank-fae51b2b664d4ed38f5969b612edff77',
    model: 'a-model',
    usage: { total_tokens: 56 },
    results: [
      { index: 1, document: { text: 'Paris' }, relevance_score: 0.99853515625 },
      { index: 0, document: { text: 'Brasília' }, relevance_score: 0.0005860328674316406 },
      { index: 2, document: { text: 'horses' }, relevance_score: 0.0001 },
    ],
  }),
  usage: {
    tokensIn: 56,
    tokensOut: 0,
    finishReason: 'stop',
    result: {
      scores: [
        { index: 1, score: 0.99853515625 },
        { index: 0, score: 0.0005860328674316406 },
        { index: 2, score: 0.0001 },
      ],
    },
  },
  unusable: { 'a score is missing': JSON.stringify({ results: [{ index: 1, relevance_score: 1 }] }) },
  errorBody,
};
