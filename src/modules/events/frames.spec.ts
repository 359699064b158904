import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endEvent, taskError, type TaskError } from '../../contract/events.js';
import { encodeFrame, encodeMetrics, encodeToken, endTemplate, errorTemplate } from './frames.js';

/** Reads one frame the way a browser does; fails when it is not exactly one. */
function parse(frame: string): { id: number; event: string; data: unknown } {
  const match = /^id: (\d+)\nevent: (\w+)\ndata: ([^\r\n]*)\n\n$/.exec(frame);
  if (match === null) throw new Error(`no single frame: ${JSON.stringify(frame)}`);
  const [, id, event = '', data = ''] = match;
  return { id: Number(id), event, data: JSON.parse(data) };
}

/** Fills in what close-log.lua fills in, by the same rule. */
function closed(template: string, known: Readonly<Record<string, number | string>>): string {
  return `id: 9\n${template.replaceAll(/\{([a-z]+)\}/g, (blank, name: string) => String(known[name] ?? blank))}`;
}

const blanks = { in: 5, out: 7, decode: 120, first: 30, warm: 'true' };
const anyText = fc.string({ unit: 'binary' });

describe('frames of events', () => {
  it('carry any text of a token on one line', () => {
    fc.assert(
      fc.property(anyText, fc.nat(), fc.nat(), (text, id, index) => {
        expect(parse(encodeToken(id, index, text))).toEqual({ id, event: 'token', data: { t: text, i: index } });
      }),
    );
  });

  it('survive a token that ends inside a surrogate pair', () => {
    expect(parse(Buffer.from(encodeToken(1, 0, '\ud83c')).toString('utf8')).data).toEqual({ t: '\ud83c', i: 0 });
  });

  it('are started, data and blank line', () => {
    expect(encodeFrame(1, 'started', '{"a":1}')).toBe('id: 1\nevent: started\ndata: {"a":1}\n\n');
  });

  it('keep narration for verbose readers', () => {
    const { plain, verbose } = encodeMetrics(3, { phase: 'decoding', human: 'It began.' });
    expect(parse(plain)).toEqual({ id: 3, event: 'metrics', data: { phase: 'decoding' } });
    expect(parse(verbose).data).toEqual({ phase: 'decoding', human: 'It began.' });
  });

  it('are the same for all readers where there is nothing to narrate', () => {
    const { plain, verbose } = encodeMetrics(3, { phase: 'decoding' });
    expect(verbose).toBe(plain);
  });
});

describe('terminal frames', () => {
  it('get their numbers where the log is closed', () => {
    const template = endTemplate({ finish_reason: 'canceled', canceled: true });
    const { event, data } = parse(closed(template, blanks));
    expect(event).toBe('end');
    expect(endEvent.parse(data)).toMatchObject({
      tokens_in: 5,
      tokens_out: 7,
      decode_time_ms: 120,
      decode_ms: 120,
      first_token_ms: 30,
      kv_warmth: true,
      finish_reason: 'canceled',
      canceled: true,
    });
  });

  it('prefer what the engine counted', () => {
    const usage = { tokensIn: 50, tokensOut: 70 };
    const { data } = parse(closed(endTemplate({ finish_reason: 'stop' }, usage), blanks));
    expect(data).toMatchObject({ tokens_in: 50, tokens_out: 70 });
  });

  it('say null for a first token that never came', () => {
    const template = endTemplate({ finish_reason: 'stop' });
    expect(parse(closed(template, { ...blanks, first: 'null' })).data).toMatchObject({ first_token_ms: null });
  });

  it('leave the words of an error alone, also those that look like blanks to fill in', () => {
    const withBlanks = fc.oneof(anyText, fc.constantFrom('{out}', 'a {in} b {first}', '{{decode}}', String.raw`\{in}`));
    fc.assert(
      fc.property(withBlanks, (message) => {
        const error: TaskError = { code: 'WORKER_RESET', message, retriable: true, pool_id: 'p' };
        const { event, data } = parse(closed(errorTemplate(error), blanks));
        expect(event).toBe('error');
        expect(taskError.parse(data)).toEqual(error);
      }),
    );
  });
});
