/**
 * The demo model's tokens: a SentencePiece vocabulary with byte fallback, so that any UTF-8 text tokenizes.
 * Token types and the meaning of scores follow llama.cpp's `llama_token_type` and its "llama" tokenizer.
 */

export type TokenKind = 'unknown' | 'control' | 'byte' | 'fragment' | 'punctuation' | 'word';

export interface VocabularyEntry {
  text: string;
  kind: TokenKind;
  /** Merges with a higher score happen first. */
  score: number;
}

export const TOKEN = { unknown: 0, begin: 1, end: 2, turnStart: 3, turnEnd: 4 } as const;

/** SentencePiece's stand-in for a space. */
const SPACE = '\u2581';

const WORDS = (
  'the a of to in and is it on as with for at by from that this one two all new old blue green bright calm quiet river stone ' +
  'cloud forest light shadow morning evening winter summer window garden bridge paper silver copper engine signal number ' +
  'letter circle mirror harbor island valley mountain ocean desert meadow lantern thread needle button pocket ladder ' +
  'hammer anchor compass candle basket feather marble velvet amber cedar maple willow thunder rain snow wind fire ' +
  'walks sings holds finds keeps turns opens closes follows carries answers listens remembers forgets waits becomes ' +
  'slowly gently often never always again here there between under over beyond without almost enough maybe soon'
).split(' ');

const PUNCTUATION = [',', '.', ';', '!', '?'];

/** Every token in id order. Ids are stable: they are part of the model's identity. */
export function demoVocabulary(): VocabularyEntry[] {
  const entries: VocabularyEntry[] = [
    { text: '<unk>', kind: 'unknown', score: 0 },
    { text: '<s>', kind: 'control', score: 0 },
    { text: '</s>', kind: 'control', score: 0 },
    { text: '<|im_start|>', kind: 'control', score: 0 },
    { text: '<|im_end|>', kind: 'control', score: 0 },
  ];
  for (let byte = 0; byte < 256; byte += 1) {
    entries.push({ text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, kind: 'byte', score: 0 });
  }

  const words = new Set(WORDS.map((word) => SPACE + word));
  const pieces = new Set([SPACE, ...'abcdefghijklmnopqrstuvwxyz'.split(''), ...PUNCTUATION]);
  for (const word of words) {
    for (let length = 2; length <= word.length; length += 1) pieces.add(word.slice(0, length));
  }
  for (const text of pieces) entries.push({ text, kind: pieceKind(text, words), score: -entries.length });
  return entries;
}

function pieceKind(text: string, words: ReadonlySet<string>): TokenKind {
  if (words.has(text)) return 'word';
  return PUNCTUATION.includes(text) ? 'punctuation' : 'fragment';
}
