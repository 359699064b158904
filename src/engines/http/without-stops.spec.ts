import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EngineError, type EngineSink } from '../engine-adapter.port.js';
import { withoutStops } from './without-stops.js';

function heard(stops: readonly string[], texts: readonly string[], end: 'end' | 'error' = 'end'): string[] {
  const told: string[] = [];
  const sink: EngineSink = {
    onToken: (text) => told.push(text),
    onPrompt: () => undefined,
    onEnd: () => told.push('<end>'),
    onError: () => told.push('<error>'),
  };
  const trimmed = withoutStops(sink, stops);
  for (const text of texts) trimmed.onToken(text);
  if (end === 'end') trimmed.onEnd({ tokensIn: 1, tokensOut: texts.length, finishReason: 'stop' });
  else trimmed.onError(new EngineError('WORKER_RESET', 'lost'));
  return told;
}

it('takes the stop text away, whole or in pieces', () => {
  expect(heard(['END'], ['one ', 'two END'])).toEqual(['one ', 'two ', '<end>']);
  expect(heard(['\n\nUser:'], ['hi', '\n', '\nUs', 'er:'])).toEqual(['hi', '<end>']);
  expect(heard(['b', 'ab'], ['x', 'a', 'b'])).toEqual(['x', '<end>']);
});

it('gives back what only looked like one', () => {
  expect(heard(['END'], ['E', 'N', 'T', 'E'])).toEqual(['ENT', 'E', '<end>']);
  expect(heard(['END'], ['a', 'E'], 'error')).toEqual(['a', 'E', '<error>']);
});

it('leaves all other text as it was', () => {
  const alphabet = fc.constantFrom('a', 'b', 'c');
  const text = fc.string({ unit: alphabet, minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 3 }), fc.array(text, { maxLength: 12 }), (stops, texts) => {
      const whole = texts.join('');
      // What a server would have put out that looks for stop texts after each character.
      let output = '';
      let stop: string | undefined;
      for (const letter of whole) {
        if (stop !== undefined) break;
        output += letter;
        const met = stops.filter((one) => output.endsWith(one)).toSorted((a, b) => b.length - a.length);
        stop = met[0];
      }
      expect(heard(stops, texts).join('')).toBe(`${output.slice(0, output.length - (stop?.length ?? 0))}<end>`);
    }),
  );
});
