import { describe, expect, it } from 'vitest';
import type { NativeModel } from './node-llama-cpp.js';
import { TokenText } from './token-text.js';

const NORMAL = 4;
const CONTROL = 8;
const USER_DEFINED = 16;
const BYTE = 32;

describe('the text of a token', () => {
  it('turns SentencePiece’s blocks into spaces and its byte tokens into bytes', () => {
    const text = new TokenText(
      vocabulary(1, [
        ['\u2581the', NORMAL],
        ['<0xC3>', BYTE],
      ]),
    );
    expect(text.bytes(0).toString()).toBe(' the');
    expect([...text.bytes(1)]).toEqual([0xc3]);
  });

  it('undoes the byte spelling of GPT-2 vocabularies', () => {
    const text = new TokenText(
      vocabulary(2, [
        ['\u0120the', NORMAL],
        ['\u00c3\u00a9', NORMAL],
        ['\u010a', NORMAL],
        ['\u00f0\u0141', NORMAL],
      ]),
    );
    expect(text.bytes(0).toString()).toBe(' the');
    expect(text.bytes(1).toString()).toBe('é');
    expect(text.bytes(2).toString()).toBe('\n');
    expect([...text.bytes(3)]).toEqual([0xf0, 0x9f]);
  });

  it('takes tokens that users added literally', () => {
    const text = new TokenText(vocabulary(2, [['<tool> é', USER_DEFINED]]));
    expect(text.bytes(0).toString()).toBe('<tool> é');
  });

  it('keeps control tokens silent unless they are to be spelled', () => {
    const text = new TokenText(vocabulary(1, [['</s>', CONTROL]]));
    expect(text.bytes(0)).toHaveLength(0);
    expect(text.spelledBytes(0).toString()).toBe('</s>');
  });

  it('asks the library about vocabularies it does not know', () => {
    const text = new TokenText({ ...vocabulary(5, [['x', NORMAL]]), detokenize: () => 'asked' });
    expect(text.bytes(0).toString()).toBe('asked');
  });
});

function vocabulary(type: number, tokens: readonly [text: string, attributes: number][]): NativeModel {
  return {
    getTokenString: (token) => tokens[token]?.[0],
    getTokenAttributes: (token) => tokens[token]?.[1] ?? 0,
    getVocabularyType: () => type,
    isEogToken: () => false,
    getTotalParameters: () => 0,
    detokenize: () => '',
  };
}
