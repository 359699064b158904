import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { encodeGguf, type GgufValue } from './gguf-file.js';
import { demoVocabulary, TOKEN, type TokenKind, type VocabularyEntry } from './vocabulary.js';
import { demoTensors, SHAPE } from './weights.js';

export interface DemoModel {
  path: string;
  bytes: number;
  /** Lower-case hexadecimal. */
  sha256: string;
}

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** `llama_token_type` of llama.cpp. */
const TOKEN_TYPE: Record<TokenKind, number> = {
  word: 1,
  punctuation: 1,
  fragment: 1,
  unknown: 2,
  control: 3,
  byte: 6,
};

/**
 * Writes a tiny language model of the llama architecture: real inference, offline, whose words are noise.
 * The bytes are the same each time and the file appears whole or not at all; missing folders are made.
 * Throws what the file system throws.
 */
export async function writeDemoModel(path: string): Promise<DemoModel> {
  const bytes = encodeDemoModel();
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(unfinished, bytes, { flush: true });
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** The content of the demo model's GGUF file. */
export function encodeDemoModel(): Buffer {
  const vocabulary = demoVocabulary();
  return encodeGguf({ metadata: metadata(vocabulary), tensors: demoTensors(vocabulary) });
}

function metadata(vocabulary: readonly VocabularyEntry[]): Map<string, GgufValue> {
  return new Map<string, GgufValue>([
    ['general.architecture', text('llama')],
    ['general.name', text('orchestratord demo (noise)')],
    ['general.license', text('CC0-1.0')],
    ['general.file_type', integer(0)],
    ['llama.vocab_size', integer(vocabulary.length)],
    ['llama.context_length', integer(SHAPE.contextLength)],
    ['llama.embedding_length', integer(SHAPE.embedding)],
    ['llama.block_count', integer(SHAPE.layers)],
    ['llama.feed_forward_length', integer(SHAPE.feedForward)],
    ['llama.rope.dimension_count', integer(SHAPE.embedding / SHAPE.heads)],
    ['llama.attention.head_count', integer(SHAPE.heads)],
    ['llama.attention.head_count_kv', integer(SHAPE.heads)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: 1e-5 }],
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', { type: 'strings', value: vocabulary.map((entry) => entry.text) }],
    ['tokenizer.ggml.scores', { type: 'floats', value: vocabulary.map((entry) => entry.score) }],
    ['tokenizer.ggml.token_type', { type: 'ints', value: vocabulary.map((entry) => TOKEN_TYPE[entry.kind]) }],
    ['tokenizer.ggml.unknown_token_id', integer(TOKEN.unknown)],
    ['tokenizer.ggml.bos_token_id', integer(TOKEN.begin)],
    ['tokenizer.ggml.eos_token_id', integer(TOKEN.end)],
    ['tokenizer.ggml.eot_token_id', integer(TOKEN.turnEnd)],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: true }],
    ['tokenizer.ggml.add_eos_token', { type: 'bool', value: false }],
    ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: true }],
    ['tokenizer.chat_template', text(CHAT_TEMPLATE)],
  ]);
}

function text(value: string): GgufValue {
  return { type: 'string', value };
}

function integer(value: number): GgufValue {
  return { type: 'uint32', value };
}
