import type { GgufTensor } from './gguf-file.js';
import type { TokenKind, VocabularyEntry } from './vocabulary.js';

/** Dimensions of the demo network; small enough that one core decodes thousands of tokens per second. */
export const SHAPE = { embedding: 64, layers: 1, heads: 2, feedForward: 96, contextLength: 8192 } as const;

/**
 * Every token embedding holds this constant in its first dimension and no layer writes there, so the first column
 * of the output matrix acts as a bias per token (the llama architecture has no bias tensor of its own).
 */
const BIAS_INPUT = 4;

/** Logit offsets: words are likely, endings and raw bytes practically never drawn, so long generations stay text. */
const KIND_BIAS: Record<TokenKind, number> = {
  word: 0,
  punctuation: -1.5,
  fragment: -40,
  byte: -40,
  control: -60,
  unknown: -60,
};

const SUCCESSOR_STRENGTH = 0.16;
const ATTENTION_GAIN = 3;
const FEED_FORWARD_GAIN = 1;
const SEED = 0x0dd5eed;

/**
 * Pseudo-random tensors of a llama network over `vocabulary`.
 * Each speakable token prefers one successor, on a single ring through all of them, and the layers disturb that
 * preference with what was read before: greedy decoding wanders instead of getting stuck.
 */
export function demoTensors(vocabulary: readonly VocabularyEntry[]): GgufTensor[] {
  const random = pseudoRandom(SEED);
  const { embedding, feedForward } = SHAPE;
  const embeddings = tokenEmbeddings(vocabulary.length, random);
  const tensors: GgufTensor[] = [
    { name: 'token_embd.weight', shape: [embedding, vocabulary.length], data: embeddings },
    { name: 'output_norm.weight', shape: [embedding], data: new Float32Array(embedding).fill(1) },
    {
      name: 'output.weight',
      shape: [embedding, vocabulary.length],
      data: outputMatrix(vocabulary, embeddings, random),
    },
  ];
  for (let layer = 0; layer < SHAPE.layers; layer += 1) {
    const add = (name: string, inputs: number, data: Float32Array): void => {
      const shape = data.length === inputs ? [inputs] : [inputs, data.length / inputs];
      tensors.push({ name: `blk.${layer}.${name}.weight`, shape, data });
    };
    add('attn_norm', embedding, new Float32Array(embedding).fill(1));
    add('attn_q', embedding, matrix(embedding, embedding, 2, random));
    add('attn_k', embedding, matrix(embedding, embedding, 2, random));
    add('attn_v', embedding, matrix(embedding, embedding, 1, random));
    add('attn_output', embedding, withoutFirstRow(matrix(embedding, embedding, ATTENTION_GAIN, random), embedding));
    add('ffn_norm', embedding, new Float32Array(embedding).fill(1));
    add('ffn_gate', embedding, matrix(embedding, feedForward, 1, random));
    add('ffn_up', embedding, matrix(embedding, feedForward, 1, random));
    add(
      'ffn_down',
      feedForward,
      withoutFirstRow(matrix(feedForward, embedding, FEED_FORWARD_GAIN, random), feedForward),
    );
  }
  return tensors;
}

function tokenEmbeddings(tokens: number, random: () => number): Float32Array {
  const data = matrix(SHAPE.embedding, tokens, Math.sqrt(SHAPE.embedding), random);
  for (let token = 0; token < tokens; token += 1) data[token * SHAPE.embedding] = BIAS_INPUT;
  return data;
}

function outputMatrix(
  vocabulary: readonly VocabularyEntry[],
  embeddings: Float32Array,
  random: () => number,
): Float32Array {
  const { embedding } = SHAPE;
  const data = matrix(embedding, vocabulary.length, 0.1, random);
  const ring = shuffled(
    vocabulary.flatMap((entry, token) => (entry.kind === 'word' || entry.kind === 'punctuation' ? [token] : [])),
    random,
  );
  ring.forEach((token, position) => {
    const predecessor = ring[(position + ring.length - 1) % ring.length] ?? token;
    for (let column = 1; column < embedding; column += 1) {
      const weight = embeddings[predecessor * embedding + column] ?? 0;
      data[token * embedding + column] = SUCCESSOR_STRENGTH * weight;
    }
  });
  vocabulary.forEach((entry, token) => {
    data[token * embedding] = KIND_BIAS[entry.kind] / BIAS_INPUT;
  });
  return data;
}

/** A matrix whose product with a unit-variance vector has a standard deviation of about `gain`. */
function matrix(inputs: number, outputs: number, gain: number, random: () => number): Float32Array {
  const scale = (gain * Math.sqrt(3)) / Math.sqrt(inputs);
  return Float32Array.from({ length: inputs * outputs }, () => (random() * 2 - 1) * scale);
}

function withoutFirstRow(data: Float32Array, inputs: number): Float32Array {
  return data.fill(0, 0, inputs);
}

function shuffled(items: number[], random: () => number): number[] {
  for (let index = items.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const kept = items[index] ?? 0;
    items[index] = items[other] ?? 0;
    items[other] = kept;
  }
  return items;
}

/** mulberry32: 32-bit integer arithmetic only, hence the same numbers on every machine. Values in [0, 1). */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
