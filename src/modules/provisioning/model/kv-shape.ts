import type { GgufValue } from './gguf-cursor.js';

/** What a model keeps of each token of its context, over all layers. */
export interface KvShape {
  /** Elements of the keys, and of the values. */
  readonly keys: number;
  readonly values: number;
  /** False: an upper bound, since some layers may keep less, or not every token. */
  readonly isExact: boolean;
}

/** Element types of an engine's KV cache, by llama.cpp's names. */
export interface CacheTypes {
  readonly keys: string;
  readonly values: string;
}

const defaultTypes: CacheTypes = { keys: 'f16', values: 'f16' };

/**
 * Bytes an element takes; quantised ones come in blocks of 32 with a scale of two bytes, some with an offset or fifth bits.
 * https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`--cache-type-k`),
 * https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
 */
const elementBytes: Readonly<Record<string, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
};

/** Far above any model: what is larger is no number of heads. */
const largest = 65_536;
/** Layers of these keep a window of the context, share a cache with others, compress it, or are not run at all. */
const lessThanAll = [
  'attention.sliding_window',
  'attention.chunk_size',
  'attention.shared_kv_layers',
  'attention.kv_lora_rank',
  'attention.key_length_mla',
  'full_attention_interval',
  'nextn_predict_layers',
];
/** Architectures that keep every token in every layer, unless one of the keys above says otherwise. Of others that is not certain. */
const plain = new Set([
  'llama',
  'qwen2',
  'qwen2moe',
  'qwen3',
  'qwen3moe',
  'granite',
  'internlm2',
  'starcoder2',
  'gemma',
]);

/**
 * What a token takes in the KV cache, by the keys of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#llm): for each of
 * `block_count` layers its `attention.head_count_kv` heads (one number, or one a layer; `attention.head_count` where there is none) of
 * `attention.key_length` and `attention.value_length` (`embedding_length` by `head_count` where there is none).
 *
 * For models with sliding windows, with layers that share or compress their cache (MLA), and with recurrent layers that don't say so by zero
 * heads it is an upper bound: every layer counts as keeping every token. Null: not all of it is told, or it is no sensible number.
 */
export function kvShape(architecture: string, metadata: ReadonlyMap<string, GgufValue>): KvShape | null {
  const of = (key: string): GgufValue | undefined => metadata.get(`${architecture}.${key}`);
  const layers = whole(of('block_count'));
  if (layers === null || layers === 0) return null;
  const kvHeads = perLayer(of('attention.head_count_kv') ?? of('attention.head_count'), layers);
  const headSize = equalShare(of('embedding_length'), of('attention.head_count'));
  const keyLength = whole(of('attention.key_length')) ?? headSize;
  const valueLength = whole(of('attention.value_length')) ?? headSize;
  if (kvHeads === null || keyLength === null || valueLength === null) return null;
  const all = kvHeads.reduce((sum, count) => sum + count, 0);
  if (all * (keyLength + valueLength) === 0) return null;
  const isLess = lessThanAll.some((key) => (of(key) ?? 0) !== 0);
  return { keys: all * keyLength, values: all * valueLength, isExact: plain.has(architecture) && !isLess };
}

/** Bytes that a token of context takes in the KV cache; null: unknown. Pure. @param types of the engine; f16 by default */
export function kvBytesPerToken(shape: KvShape | null, types: CacheTypes = defaultTypes): number | null {
  const [keyBytes, valueBytes] = [elementBytes[types.keys], elementBytes[types.values]];
  if (shape === null || keyBytes === undefined || valueBytes === undefined) return null;
  return Math.ceil(shape.keys * keyBytes + shape.values * valueBytes);
}

/** The element types that llama-server's command line asks for; the last one counts. Pure. */
export function cacheTypesIn(flags: readonly string[]): CacheTypes {
  const last = (...names: string[]): string | undefined => {
    const at = flags.findLastIndex((flag) => names.includes(flag));
    return at === -1 ? undefined : flags[at + 1];
  };
  return {
    keys: last('--cache-type-k', '-ctk') ?? defaultTypes.keys,
    values: last('--cache-type-v', '-ctv') ?? defaultTypes.values,
  };
}

function whole(value: GgufValue | undefined): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= largest ? value : null;
}

/** One number for each layer; null where there is none, or one that is none. */
function perLayer(value: GgufValue | undefined, layers: number): number[] | null {
  if (typeof value === 'string' || value === undefined) return null;
  const all = typeof value === 'number' ? Array.from({ length: layers }, () => value) : value.slice(0, layers);
  return all.length === layers && all.every((one) => whole(one) !== null) ? all : null;
}

/** Of an embedding, what each head gets; of several layers the first counts, as in llama.cpp. */
function equalShare(length: GgufValue | undefined, heads: GgufValue | undefined): number | null {
  const share = (whole(length) ?? 0) / (perLayer(heads, 1)?.[0] ?? 0);
  return Number.isInteger(share) && share > 0 ? share : null;
}
