import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameTemplate } from './frame-template.js';

const frame = (content: unknown, beside: object = {}): string =>
  JSON.stringify({ id: 'a', choices: [{ index: 0, delta: { content } }], ...beside });

function learned(data: string, text: string): FrameTemplate {
  const template = new FrameTemplate('content');
  template.learn(data, text);
  return template;
}

describe('recognising a frame by an earlier one', () => {
  it('takes the text of a frame that differs in nothing else', () => {
    const template = learned(frame('first'), 'first');
    expect([template.match(frame('second')), template.match(frame('ß🌍'))]).toEqual(['second', 'ß🌍']);
  });

  it('leaves to JSON what differs in anything else, and escapes', () => {
    const template = learned(frame('first'), 'first');
    for (const other of [frame(''), frame(null), frame('a"b'), frame('a\\b'), frame('a\n'), frame('a', { usage: {} })])
      expect(template.match(other)).toBeNull();
    expect(template.match(frame('first').replace('"id":"a"', '"id":"b"'))).toBeNull();
  });

  it('learns nothing where the text may stand elsewhere', () => {
    expect(learned(frame('a', { content: 'a' }), 'a').match(frame('b', { content: 'a' }))).toBeNull();
    expect(learned(frame('a\n'), 'a\n').match(frame('b'))).toBeNull();
    expect(learned(frame('a').replace('"content":', '"content": '), 'a').match(frame('b'))).toBeNull();
  });

  it('never says another text than JSON does', () => {
    const texts = fc.tuple(fc.string(), fc.string({ unit: 'binary' }), fc.string());
    fc.assert(
      fc.property(texts, fc.boolean(), ([first, second, id], isEnd) => {
        const template = learned(frame(first), first);
        const data = frame(second, { id, finish_reason: isEnd ? 'stop' : null });
        const plain = frame(second);
        expect([null, second]).toContain(template.match(data));
        expect([null, second]).toContain(template.match(plain));
      }),
    );
  });
});
