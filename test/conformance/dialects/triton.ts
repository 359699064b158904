import { TritonAdapter } from '../../../src/engines/triton/triton.adapter.js';
import { event, type StreamDialect } from '../dialect.js';

const errorBody = (_code: number, message: string): string => JSON.stringify({ error: message });

const tensor = (name: string, datatype: string, shape: readonly number[] = [1]) => ({ name, datatype, shape });

/** Metadata of a model on the vLLM backend: https://github.com/triton-inference-server/vllm_backend/blob/main/src/model.py */
export const vllmModel = {
  name: 'a-model',
  versions: ['1'],
  platform: 'vllm',
  inputs: [
    tensor('text_input', 'BYTES'),
    tensor('stream', 'BOOL'),
    tensor('sampling_parameters', 'BYTES'),
    tensor('exclude_input_in_output', 'BOOL'),
    tensor('return_finish_reason', 'BOOL'),
    tensor('return_num_input_tokens', 'BOOL'),
    tensor('return_num_output_tokens', 'BOOL'),
  ],
  outputs: [
    tensor('text_output', 'BYTES', [-1]),
    tensor('finish_reason', 'BYTES', [-1]),
    tensor('num_input_tokens', 'UINT32'),
    tensor('num_output_tokens', 'UINT32', [-1]),
  ],
};

/** Metadata of a model on the TensorRT-LLM backend: https://github.com/triton-inference-server/tensorrtllm_backend/blob/main/docs/model_config.md */
export const tensorRtModel = {
  name: 'ensemble',
  versions: ['1'],
  platform: 'ensemble',
  inputs: [
    tensor('text_input', 'BYTES', [-1, -1]),
    tensor('max_tokens', 'INT32', [-1, -1]),
    tensor('stop_words', 'BYTES', [-1, -1]),
    tensor('stream', 'BOOL', [-1, 1]),
    tensor('temperature', 'FP32', [-1, 1]),
    tensor('top_k', 'INT32', [-1, 1]),
    tensor('top_p', 'FP32', [-1, 1]),
    tensor('repetition_penalty', 'FP32', [-1, 1]),
    tensor('seed', 'UINT64', [-1, 1]),
  ],
  outputs: [tensor('text_output', 'BYTES', [-1, -1]), tensor('generation_logits', 'FP32', [-1, -1, -1, -1])],
};

const parameter =
  (name: string) =>
  (value: unknown): object => ({ sampling_parameters: JSON.stringify({ max_tokens: 7, [name]: value }) });

const response = (text: string, finish: string, tokens: number, tokensIn: number) => ({
  finish_reason: finish,
  model_name: 'a-model',
  model_version: '1',
  num_input_tokens: tokensIn,
  num_output_tokens: tokens,
  text_output: text,
});

export const tritonGenerate: StreamDialect = {
  name: 'triton, POST /v2/models/{m}/generate_stream',
  documentation:
    'https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html',
  adapter: (agent) => new TritonAdapter(agent),
  input: { prompt: 'Hi' },
  path: '/v2/models/a-model/generate_stream',
  documents: { '/v2/models/a-model': vllmModel },
  stream: ({ texts, tokensIn, finish }) => [
    ...texts.slice(0, -1).map((text) => event(response(text, 'None', 1, tokensIn))),
    event(response(texts.at(-1) ?? '', finish, Math.min(1, texts.length), tokensIn)),
  ],
  errorEvent: (code, message) => event(errorBody(code, message)),
  errorsTellNoCode: true,
  errorBody,
  body: {
    id: 'a-task',
    text_input: 'Hi',
    stream: true,
    sampling_parameters: '{"max_tokens":7}',
    exclude_input_in_output: true,
    return_finish_reason: true,
    return_num_input_tokens: true,
    return_num_output_tokens: true,
  },
  fields: {
    seed: parameter('seed'),
    temperature: parameter('temperature'),
    top_p: parameter('top_p'),
    top_k: parameter('top_k'),
    repeat_penalty: parameter('repetition_penalty'),
    presence_penalty: parameter('presence_penalty'),
    frequency_penalty: parameter('frequency_penalty'),
    stop: parameter('stop'),
  },
};
