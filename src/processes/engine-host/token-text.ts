import type { NativeModel } from './node-llama-cpp.js';

const ATTRIBUTE = { unknown: 1, control: 8, userDefined: 16, byte: 32 } as const;
const VOCABULARY = { sentencePiece: 1, bytePair: 2, wordPiece: 3, unigram: 4 } as const;

/**
 * The bytes each token stands for, as llama.cpp's `llama_token_to_piece` gives them.
 * A token may hold a part of a character, so a string wouldn't do.
 */
export class TokenText {
  private readonly plain: Buffer[] = [];

  constructor(private readonly model: NativeModel) {}

  /** Bytes of `token` in generated text; control tokens are silent there. */
  bytes(token: number): Buffer {
    return (this.plain[token] ??= this.isSpecial(token) ? Buffer.alloc(0) : this.read(token));
  }

  /** Bytes of `token` with control tokens spelled out, as /tokenize and /detokenize show them. */
  spelledBytes(token: number): Buffer {
    return this.isSpecial(token) ? Buffer.from(this.model.getTokenString(token) ?? '') : this.bytes(token);
  }

  private isSpecial(token: number): boolean {
    return (this.model.getTokenAttributes(token) & (ATTRIBUTE.unknown | ATTRIBUTE.control)) !== 0;
  }

  private read(token: number): Buffer {
    const text = this.model.getTokenString(token) ?? '';
    const attributes = this.model.getTokenAttributes(token);
    if ((attributes & ATTRIBUTE.userDefined) !== 0) return Buffer.from(text);
    switch (this.model.getVocabularyType()) {
      case VOCABULARY.sentencePiece:
      case VOCABULARY.unigram:
      case VOCABULARY.wordPiece:
        if ((attributes & ATTRIBUTE.byte) !== 0) return Buffer.of(Number.parseInt(text.slice(3, 5), 16));
        return Buffer.from(text.replaceAll('\u2581', ' '));
      case VOCABULARY.bytePair:
        return bytePairBytes(text);
      default:
        return Buffer.from(this.model.detokenize(Uint32Array.of(token), false));
    }
  }
}

/** Undoes GPT-2's spelling of bytes as printable characters. */
function bytePairBytes(text: string): Buffer {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) bytes.push(...Buffer.from(character));
    else bytes.push(byte);
  }
  return Buffer.from(bytes);
}

const BYTE_OF_CHARACTER = byteOfCharacter();

function byteOfCharacter(): Map<string, number> {
  const table = new Map<string, number>();
  let substitutes = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    const isPrintable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    const code = isPrintable ? byte : 256 + substitutes;
    if (!isPrintable) substitutes += 1;
    table.set(String.fromCodePoint(code), byte);
  }
  return table;
}
