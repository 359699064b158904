// What each engine sends: the events of one token, of the end, and whatever is asked beside. As their documentation shows them; see
// test/conformance/dialects.

const event = (data) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
const usage = (tokens) => ({ prompt_tokens: 5, completion_tokens: tokens, total_tokens: tokens + 5 });

const chunk = (choices, spent = null) => ({
  id: 'cmpl-4c3f2f0e5b6a4b0f8e7d6c5b4a392817',
  object: 'text_completion',
  created: 1_764_000_000,
  model: 'a-model',
  choices,
  usage: spent,
});
const choice = (text, finish_reason) => ({ index: 0, text, logprobs: null, finish_reason, stop_reason: null });

const completions = {
  token: (text) => event(chunk([choice(text, null)])),
  end: (tokens) => event(chunk([choice('', 'length')])) + event(chunk([], usage(tokens))) + event('[DONE]'),
};

const llamacpp = {
  token: (text, index) =>
    event({
      index: 0,
      content: text,
      tokens: [100 + index],
      stop: false,
      id_slot: -1,
      tokens_predicted: index + 1,
      tokens_evaluated: 5,
    }),
  end: (tokens) =>
    event({ content: '', stop: true, stop_type: 'limit', tokens_predicted: tokens, tokens_evaluated: 5, id_slot: 0 }),
};

const tgi = {
  token: (text, index) =>
    event({
      index: index + 1,
      token: { id: 1000 + index, text, logprob: -0.049_316_406, special: false },
      generated_text: null,
      details: null,
    }),
  end: (tokens) =>
    event({
      index: tokens + 1,
      token: { id: 2, text: '</s>', logprob: -1, special: true },
      generated_text: 'all of it',
      details: { finish_reason: 'length', generated_tokens: tokens, seed: null, input_length: 5 },
    }),
};

const response = (text, finish, tokens) => ({
  finish_reason: finish,
  model_name: 'a-model',
  model_version: '1',
  num_input_tokens: 5,
  num_output_tokens: tokens,
  text_output: text,
});
const names = (all) => all.map((name) => ({ name, datatype: 'BYTES', shape: [1] }));

const triton = {
  token: (text) => event(response(text, 'None', 1)),
  end: () => event(response('', 'length', 0)),
  documents: {
    '/v2/models/a-model': {
      inputs: names([
        'text_input',
        'stream',
        'sampling_parameters',
        'return_finish_reason',
        'return_num_output_tokens',
      ]),
      outputs: names(['text_output', 'finish_reason', 'num_input_tokens', 'num_output_tokens']),
    },
  },
};

export const recorded = { llamacpp, openai: completions, vllm: completions, tgi, triton };
