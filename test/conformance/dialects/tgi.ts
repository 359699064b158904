import { TgiAdapter } from '../../../src/engines/tgi/tgi.adapter.js';
import { event, type AnswerDialect, type StreamDialect } from '../dialect.js';

const documentation = 'https://huggingface.github.io/text-generation-inference/';

/** `ErrorResponse` of the router. */
const errorOf = (code: number, message: string) => ({
  error: message,
  error_type: code < 500 ? 'validation' : 'generation',
});
const errorBody = (code: number, message: string): string => JSON.stringify(errorOf(code, message));

/** TGI writes `data:` without a space. */
const tight = (data: unknown): string => event(data).replace('data: ', 'data:');

const parameter =
  (name: string, beside: object = {}) =>
  (value: unknown): object => ({ parameters: { [name]: value, ...beside } });

const token = (index: number, text: string, isSpecial = false) => ({
  index,
  token: { id: 1000 + index, text, logprob: -0.049_316_406, special: isSpecial },
});

export const tgiGenerate: StreamDialect = {
  name: 'tgi, POST /generate_stream',
  documentation: `${documentation}#/Text%20Generation%20Inference/generate_stream`,
  adapter: (agent) => new TgiAdapter(agent),
  input: { prompt: 'Hi' },
  path: '/generate_stream',
  // The last event has the token that ended it: at a stop one that is no output.
  stream: ({ texts, tokensIn, finish }) => [
    ...texts.map((text, index) => tight({ ...token(index + 1, text), generated_text: null, details: null })),
    tight({
      ...token(texts.length + 1, '</s>', true),
      generated_text: texts.join(''),
      details: {
        finish_reason: finish === 'length' ? 'length' : 'eos_token',
        generated_tokens: texts.length,
        seed: null,
        input_length: tokensIn,
      },
    }),
  ],
  errorEvent: (code, message) => tight(errorOf(code, message)),
  errorBody,
  body: { inputs: 'Hi', parameters: { max_new_tokens: 7, details: true } },
  fields: {
    seed: parameter('seed'),
    temperature: () => ({ parameters: { do_sample: false } }),
    top_p: parameter('top_p', { do_sample: true }),
    top_k: parameter('top_k', { do_sample: true }),
    repeat_penalty: parameter('repetition_penalty'),
    frequency_penalty: parameter('frequency_penalty'),
    stop: parameter('stop'),
    json_schema: (value) => ({ parameters: { grammar: { type: 'json', value } } }),
  },
};

const chunk = (choices: readonly unknown[], usage: unknown = null) => ({
  object: 'chat.completion.chunk',
  id: '',
  created: 1_726_656_043,
  model: 'org/model',
  system_fingerprint: '3.3.6-native',
  choices,
  usage,
});

export const tgiChat: StreamDialect = {
  name: 'tgi, POST /v1/chat/completions',
  documentation: 'https://huggingface.co/docs/text-generation-inference/messages_api',
  adapter: (agent) => new TgiAdapter(agent),
  input: { messages: [{ role: 'user', content: 'Hi' }] },
  path: '/v1/chat/completions',
  stream: ({ texts, tokensIn, finish }) => [
    ...texts.map((content) =>
      tight(chunk([{ index: 0, delta: { role: 'assistant', content }, logprobs: null, finish_reason: null }])),
    ),
    tight(chunk([{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: finish }])),
    tight(
      chunk([], {
        prompt_tokens: tokensIn,
        completion_tokens: texts.length,
        total_tokens: tokensIn + texts.length,
      }),
    ),
    tight('[DONE]'),
  ],
  errorEvent: (code, message) =>
    tight({
      error: { message: code < 500 ? `Input validation error: ${message}` : message, http_status_code: 422 },
    }),
  errorBody,
  body: {
    model: 'tgi',
    messages: [{ role: 'user', content: 'Hi' }],
    max_tokens: 7,
    stream: true,
    stream_options: { include_usage: true },
  },
  fields: {
    seed: 'seed',
    temperature: 'temperature',
    top_p: 'top_p',
    frequency_penalty: 'frequency_penalty',
    stop: 'stop',
    json_schema: (value) => ({ response_format: { type: 'json', value } }),
  },
};

export const tgiEmbedding: AnswerDialect = {
  name: 'tgi (Text Embeddings Inference), POST /v1/embeddings',
  documentation: 'https://huggingface.github.io/text-embeddings-inference/#/Text%20Embeddings%20Inference/openai_embed',
  adapter: (agent) => new TgiAdapter(agent),
  work: { kind: 'embedding', inputs: ['a', 'ü'] },
  path: '/v1/embeddings',
  body: { input: ['a', 'ü'], encoding_format: 'float' },
  answer: JSON.stringify({
    object: 'list',
    data: [
      { object: 'embedding', embedding: [0.5, 0.25], index: 0 },
      { object: 'embedding', embedding: [-0.00932, 0.0023], index: 1 },
    ],
    model: 'BAAI/bge-small-en-v1.5',
    usage: { prompt_tokens: 6, total_tokens: 6 },
  }),
  usage: {
    tokensIn: 6,
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
  errorBody: (code, message) => JSON.stringify({ message, code, type: 'Validation' }),
};
