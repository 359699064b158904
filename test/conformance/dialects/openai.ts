import { OpenAiAdapter } from '../../../src/engines/openai/openai.adapter.js';
import { event, type AnswerDialect, type StreamDialect } from '../dialect.js';

const reference = 'https://platform.openai.com/docs/api-reference';

/** https://platform.openai.com/docs/guides/error-codes */
const errorOf = (code: number, message: string) => ({
  error: {
    message,
    type: code < 500 ? 'invalid_request_error' : 'server_error',
    param: null,
    code: null,
  },
});
const errorBody = (code: number, message: string): string => JSON.stringify(errorOf(code, message));

const usageOf = (tokensIn: number, tokensOut: number) => ({
  prompt_tokens: tokensIn,
  completion_tokens: tokensOut,
  total_tokens: tokensIn + tokensOut,
});

const fields = {
  seed: 'seed',
  temperature: 'temperature',
  top_p: 'top_p',
  presence_penalty: 'presence_penalty',
  frequency_penalty: 'frequency_penalty',
  stop: 'stop',
};

const completionChunk = (choices: readonly unknown[], usage: unknown = null) => ({
  id: 'cmpl-7iA7iJjj8V2zOkCGvWF2hAkWALZZZ',
  object: 'text_completion',
  created: 1_690_759_702,
  choices,
  model: 'gpt-3.5-turbo-instruct',
  usage,
});

export const openAiCompletion: StreamDialect = {
  name: 'openai, POST /v1/completions',
  documentation: `${reference}/completions/create`,
  adapter: (agent) => new OpenAiAdapter(agent),
  input: { prompt: 'Hi' },
  path: '/v1/completions',
  stream: ({ texts, tokensIn, finish }) => [
    ...texts.map((text) => event(completionChunk([{ text, index: 0, logprobs: null, finish_reason: null }]))),
    event(completionChunk([{ text: '', index: 0, logprobs: null, finish_reason: finish }])),
    event(completionChunk([], usageOf(tokensIn, texts.length))),
    event('[DONE]'),
  ],
  errorEvent: (code, message) => event(errorOf(code, message)),
  errorBody,
  body: {
    model: 'a-model',
    prompt: 'Hi',
    max_tokens: 7,
    stream: true,
    stream_options: { include_usage: true },
  },
  fields,
};

const chatChunk = (choices: readonly unknown[], usage: unknown = null) => ({
  id: 'chatcmpl-123',
  object: 'chat.completion.chunk',
  created: 1_694_268_190,
  model: 'gpt-4o-mini',
  system_fingerprint: 'fp_44709d6fcb',
  choices,
  usage,
});

export const openAiChat: StreamDialect = {
  name: 'openai, POST /v1/chat/completions',
  documentation: `${reference}/chat-streaming`,
  adapter: (agent) => new OpenAiAdapter(agent),
  input: { messages: [{ role: 'user', content: 'Hi' }] },
  path: '/v1/chat/completions',
  stream: ({ texts, tokensIn, finish }) => [
    event(chatChunk([{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }])),
    ...texts.map((content) =>
      event(chatChunk([{ index: 0, delta: { content }, logprobs: null, finish_reason: null }])),
    ),
    event(chatChunk([{ index: 0, delta: {}, logprobs: null, finish_reason: finish }])),
    event(chatChunk([], usageOf(tokensIn, texts.length))),
    event('[DONE]'),
  ],
  errorEvent: (code, message) => event(errorOf(code, message)),
  errorBody,
  body: {
    model: 'a-model',
    messages: [{ role: 'user', content: 'Hi' }],
    max_tokens: 7,
    stream: true,
    stream_options: { include_usage: true },
  },
  fields: {
    ...fields,
    json_schema: (schema) => ({
      response_format: { type: 'json_schema', json_schema: { name: 'output', schema } },
    }),
  },
};

export const openAiEmbedding: AnswerDialect = {
  name: 'openai, POST /v1/embeddings',
  documentation: `${reference}/embeddings/create`,
  adapter: (agent) => new OpenAiAdapter(agent),
  work: { kind: 'embedding', inputs: ['a', 'ü'] },
  path: '/v1/embeddings',
  body: { model: 'a-model', input: ['a', 'ü'], encoding_format: 'float' },
  answer: JSON.stringify({
    object: 'list',
    data: [
      { object: 'embedding', embedding: [-0.009327292, 0.0023064255], index: 1 },
      { object: 'embedding', embedding: [0.5, 0.25], index: 0 },
    ],
    model: 'text-embedding-ada-002',
    usage: { prompt_tokens: 8, total_tokens: 8 },
  }),
  usage: {
    tokensIn: 8,
    tokensOut: 0,
    finishReason: 'stop',
    result: {
      embeddings: [
        [0.5, 0.25],
        [-0.009327292, 0.0023064255],
      ],
    },
  },
  unusable: {
    'a vector is missing': JSON.stringify({ data: [{ embedding: [1], index: 1 }] }),
    'no vectors': JSON.stringify({ data: 'none' }),
    'a vector is empty': JSON.stringify({ data: [0, 1].map((index) => ({ embedding: [], index })) }),
    'vectors differ in length': JSON.stringify({
      data: [
        { embedding: [1], index: 0 },
        { embedding: [1, 2], index: 1 },
      ],
    }),
  },
  errorBody,
};
