import type { CompletionWork, EmbeddingWork, EngineResult, RerankWork } from '../engine-adapter.port.js';

const words = (
  'the a one two every some all none night day sun moon sea river hill tree stone road house door window light shadow bird fish horse friend ' +
  'stranger child king story song word voice hand eye heart goes comes sees finds keeps loses opens closes begins ends knows forgets old new ' +
  'small great quiet bright slow far near again never always here there and or but then while because'
).split(' ');

const dimensions = 8;

/** FNV-1a, 32 bit: https://datatracker.ietf.org/doc/draft-eastlake-fnv/ */
function hash(text: string, from = 0x81_1c_9d_c5): number {
  let value = from;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01_00_01_93);
  return value >>> 0;
}

/**
 * A model without weights: each word follows from all the text before it, the seed and the sampling options. So the same request gives the
 * same text, and a prompt with a part of its answer behind it goes on as the answer did.
 */
export class MockModel {
  private state: number;
  private readonly options: number;

  constructor({ input, seed, sampling }: CompletionWork) {
    this.state = hash(textOf(input));
    // Stop texts end an answer, and change nothing before.
    this.options = hash(JSON.stringify([seed ?? null, { ...sampling, stop: undefined }]));
  }

  /** A word and the space before it. */
  next(): string {
    const mixed = hash(String(this.state), this.options);
    const text = ` ${words[mixed % words.length]}`;
    this.state = hash(text, this.state);
    return text;
  }
}

/** Tokens of a text: its words. */
export function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length;
}

export function textOf(input: CompletionWork['input']): string {
  if ('prompt' in input) return input.prompt;
  return input.messages.map(({ role, content }) => `${role}: ${content}\n`).join('');
}

/** A vector of length one for each input. */
export function embed({ inputs }: EmbeddingWork): EngineResult {
  const vectorOf = (input: string): number[] => {
    const raw = Array.from({ length: dimensions }, (_, at) => hash(String(at), hash(input)) / 2 ** 31 - 1);
    const length = Math.hypot(...raw);
    return raw.map((value) => value / length);
  };
  return { embeddings: inputs.map(vectorOf) };
}

/** Scores each document by the share of the query's words that it has. */
export function rerank({ query, documents }: RerankWork): EngineResult {
  const asked = wordsOf(query);
  const scoreOf = (document: string): number => {
    const has = wordsOf(document);
    return asked.size === 0 ? 0 : [...asked].filter((word) => has.has(word)).length / asked.size;
  };
  const scores = documents.map((document, index) => ({ index, score: scoreOf(document) }));
  return { scores: scores.toSorted((a, b) => b.score - a.score) };
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
}
