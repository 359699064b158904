import { LlamacppAdapter } from '../../../src/engines/llamacpp/llamacpp.adapter.js';
import { event, type AnswerDialect, type StreamDialect } from '../dialect.js';

const readme = 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md';

/** `format_error_response` in tools/server of llama.cpp. */
const errorOf = (code: number, message: string) => ({
  error: { code, message, type: code < 500 ? 'invalid_request_error' : 'server_error' },
});
const errorBody = (code: number, message: string): string => JSON.stringify(errorOf(code, message));

const ownFields = {
  seed: 'seed',
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  min_p: 'min_p',
  repeat_penalty: 'repeat_penalty',
  presence_penalty: 'presence_penalty',
  frequency_penalty: 'frequency_penalty',
  stop: 'stop',
  grammar: 'grammar',
  json_schema: 'json_schema',
};

export const llamacppCompletion: StreamDialect = {
  name: 'llamacpp, POST /completion',
  documentation: `${readme}#post-completion-given-a-prompt-it-returns-the-predicted-completion`,
  adapter: (agent) => new LlamacppAdapter(agent),
  input: { prompt: 'Hi' },
  path: '/completion',
  stream: ({ texts, tokensIn, finish }) => [
    ...texts.map((content, index) =>
      event({
        index: 0,
        content,
        tokens: [100 + index],
        stop: false,
        id_slot: -1,
        tokens_predicted: index + 1,
        tokens_evaluated: tokensIn,
      }),
    ),
    event({
      index: 0,
      content: '',
      tokens: [],
      id_slot: 1,
      stop: true,
      model: 'demo',
      tokens_predicted: texts.length,
      tokens_evaluated: tokensIn,
      generation_settings: { seed: 4294967295, temperature: 0.800000011920929, stop: [] },
      prompt: 'Hi',
      has_new_line: false,
      truncated: false,
      stop_type: finish === 'length' ? 'limit' : 'eos',
      stopping_word: '',
      tokens_cached: tokensIn + texts.length - 1,
      timings: { prompt_n: tokensIn, predicted_n: texts.length, predicted_per_second: 55.5 },
    }),
  ],
  errorEvent: (code, message) => event(errorOf(code, message)),
  errorBody,
  body: { prompt: 'Hi', n_predict: 7, stream: true, cache_prompt: true },
  fields: ownFields,
};

const chunk = (choices: readonly unknown[], beside: object = {}) => ({
  choices,
  created: 1_764_000_000,
  id: 'chatcmpl-8GzVzJZ2Yd2uGq3wXcU0rJf3vQm8mN1o',
  model: 'demo',
  system_fingerprint: 'b6500-abcdef01',
  object: 'chat.completion.chunk',
  ...beside,
});

export const llamacppChat: StreamDialect = {
  name: 'llamacpp, POST /v1/chat/completions',
  documentation: `${readme}#post-v1chatcompletions-openai-compatible-chat-completions-api`,
  adapter: (agent) => new LlamacppAdapter(agent),
  input: { messages: [{ role: 'user', content: 'Hi' }] },
  path: '/v1/chat/completions',
  stream: ({ texts, tokensIn, finish }) => [
    event(chunk([{ finish_reason: null, index: 0, delta: { role: 'assistant', content: null } }])),
    ...texts.map((content) => event(chunk([{ finish_reason: null, index: 0, delta: { content } }]))),
    event(chunk([{ finish_reason: finish, index: 0, delta: {} }])),
    event(
      chunk([], {
        usage: {
          completion_tokens: texts.length,
          prompt_tokens: tokensIn,
          total_tokens: tokensIn + texts.length,
          prompt_tokens_details: { cached_tokens: 0 },
        },
        timings: { cache_n: 0, prompt_n: tokensIn, predicted_n: texts.length },
      }),
    ),
    event('[DONE]'),
  ],
  errorEvent: (code, message) => event(errorOf(code, message)),
  errorBody,
  body: {
    messages: [{ role: 'user', content: 'Hi' }],
    max_tokens: 7,
    stream: true,
    stream_options: { include_usage: true },
    cache_prompt: true,
  },
  fields: ownFields,
};

export const llamacppEmbedding: AnswerDialect = {
  name: 'llamacpp, POST /v1/embeddings',
  documentation: `${readme}#post-v1embeddings-openai-compatible-embeddings-api`,
  adapter: (agent) => new LlamacppAdapter(agent),
  work: { kind: 'embedding', inputs: ['höw', 'are'] },
  path: '/v1/embeddings',
  body: { input: ['höw', 'are'], encoding_format: 'float' },
  answer: JSON.stringify({
    model: 'demo',
    object: 'list',
    usage: { prompt_tokens: 5, total_tokens: 5 },
    data: [
      { embedding: [0.25, -0.5], index: 0, object: 'embedding' },
      { embedding: [1, 0], index: 1, object: 'embedding' },
    ],
  }),
  usage: {
    tokensIn: 5,
    tokensOut: 0,
    finishReason: 'stop',
    result: {
      embeddings: [
        [0.25, -0.5],
        [1, 0],
      ],
    },
  },
  unusable: {
    'a vector is missing': JSON.stringify({ object: 'list', data: [{ embedding: [1], index: 0 }] }),
    'a vector for each token': JSON.stringify([{ index: 0, embedding: [[1], [2]] }]),
  },
  errorBody,
};

export const llamacppRerank: AnswerDialect = {
  name: 'llamacpp, POST /reranking',
  documentation: `${readme}#post-reranking-rerank-documents-according-to-a-given-query`,
  adapter: (agent) => new LlamacppAdapter(agent),
  work: { kind: 'rerank', query: 'What is a pandä?', documents: ['hi', 'it is a bear', 'The giant panda'] },
  path: '/reranking',
  body: { query: 'What is a pandä?', documents: ['hi', 'it is a bear', 'The giant panda'], top_n: 3 },
  answer: JSON.stringify({
    model: 'demo',
    object: 'list',
    usage: { prompt_tokens: 30, total_tokens: 30 },
    results: [
      { index: 0, relevance_score: -7.5 },
      { index: 1, relevance_score: -2.25 },
      { index: 2, relevance_score: 4.5 },
    ],
  }),
  usage: {
    tokensIn: 30,
    tokensOut: 0,
    finishReason: 'stop',
    result: {
      scores: [
        { index: 2, score: 4.5 },
        { index: 1, score: -2.25 },
        { index: 0, score: -7.5 },
      ],
    },
  },
  unusable: {
    'a score is missing': JSON.stringify({ results: [{ index: 0, relevance_score: 1 }] }),
    'a score is no number': JSON.stringify({ results: [{ index: 0, relevance_score: null }] }),
  },
  errorBody,
};
