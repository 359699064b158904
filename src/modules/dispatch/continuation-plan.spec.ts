import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CompletionWork } from '../../engines/engine-adapter.port.js';
import { engineCapabilities } from '../../engines/engine-capabilities.js';
import { planContinuation, type NextEngine } from './continuation-plan.js';

const { llamacpp, openai } = engineCapabilities;
const work: CompletionWork = {
  kind: 'completion',
  input: { prompt: 'P' },
  maxTokens: 10,
  seed: undefined,
  sampling: undefined,
};
const soFar = { text: ' a b', tokens: 2 };
const same: NextEngine = { capabilities: llamacpp, isSameOrigin: true };
const other: NextEngine = { capabilities: llamacpp, isSameOrigin: false };

const planOf = (change: Partial<CompletionWork>, next = same, so: { text: string; tokens: number } = soFar) =>
  planContinuation({ ...work, ...change }, so, next);

describe('an answer that was broken off goes on', () => {
  it('from its text where chance is free, with as many tokens as are missing', () => {
    const plan = { kind: 'longer-prompt', work: { ...work, input: { prompt: 'P a b' }, maxTokens: 8 } };
    expect(planOf({})).toEqual(plan);
    expect(planOf({}, other)).toEqual(plan);
  });

  it('from its start where a seed asks for one certain text, whatever else was asked for', () => {
    const repeat = { kind: 'repeat', prefix: ' a b' };
    expect(planOf({ seed: 0 })).toEqual(repeat);
    expect(planOf({ seed: 7, input: { messages: [{ role: 'user', content: 'x' }] } })).toEqual(repeat);
    expect(planOf({ seed: 7, sampling: { grammar: 'root ::= "a"' } })).toEqual(repeat);
  });

  it('nowhere else than at an engine of the same origin, or one that promises to repeat itself, where it has a seed', () => {
    expect(planOf({ seed: 7 }, other).kind).toBe('none');
    expect(planOf({ seed: 7 }, { capabilities: openai, isSameOrigin: true }).kind).toBe('none');
  });

  it('from its start where decoding is greedy and its text is no way', () => {
    const input = { messages: [{ role: 'user' as const, content: 'x' }] };
    expect(planOf({ input }).kind).toBe('none');
    expect(planOf({ input, sampling: { temperature: 0 } }).kind).toBe('repeat');
    expect(planOf({ input, sampling: { top_k: 1 } }).kind).toBe('repeat');
    expect(planOf({ input, sampling: { temperature: 0 } }, other).kind).toBe('none');
    expect(planOf({ sampling: { temperature: 0 } }).kind).toBe('longer-prompt');
  });

  it.each([
    ['under a grammar', { sampling: { grammar: 'root ::= "a"' } }, soFar],
    ['under a schema', { sampling: { json_schema: {} } }, soFar],
    ['behind bytes that are no characters', {}, { text: 'a\u{FFFD}', tokens: 2 }],
    ['behind what may be the beginning of a stop text', { sampling: { stop: ['x', ' bc'] } }, soFar],
  ])('not from its text %s', (_, change, so) => {
    expect(planOf(change, same, so).kind).toBe('none');
  });

  it('behind a whole text that looks like no beginning of a stop text', () => {
    expect(planOf({ sampling: { stop: ['b', 'a c', 'X b'] } }).kind).toBe('longer-prompt');
  });

  it('with penalties only where the engine counts the prompt too', () => {
    const forgetful = { capabilities: { ...llamacpp, penalisesPrompt: false }, isSameOrigin: true };
    expect(planOf({ sampling: { presence_penalty: 1 } }).kind).toBe('longer-prompt');
    expect(planOf({ sampling: { presence_penalty: 1 } }, forgetful).kind).toBe('none');
    expect(planOf({ sampling: { frequency_penalty: -1 } }, forgetful).kind).toBe('none');
    expect(planOf({ sampling: { frequency_penalty: 0 } }, forgetful).kind).toBe('longer-prompt');
  });

  it('not at all at an engine that can do neither', () => {
    expect(planOf({}, { capabilities: openai, isSameOrigin: true }).kind).toBe('none');
  });

  it('is finished when only the end is missing, whoever would go on', () => {
    const all = { text: 'x', tokens: 10 };
    expect(planOf({ seed: 1 }, other, all)).toEqual({ kind: 'finished' });
    expect(planOf({}, { capabilities: openai, isSameOrigin: false }, all)).toEqual({ kind: 'finished' });
  });

  it('never shows more than was asked for, nor loses a character, in whatever way', () => {
    const sampling = fc.record(
      {
        temperature: fc.constantFrom(0, 0.7),
        stop: fc.array(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', ' ') }), {
          maxLength: 3,
        }),
        grammar: fc.constant('root ::= "a"'),
        presence_penalty: fc.constantFrom(0, 1),
      },
      { requiredKeys: [] },
    );
    const anyWork = fc.record({
      seed: fc.option(fc.nat(), { nil: undefined }),
      maxTokens: fc.integer({ min: 1, max: 20 }),
      sampling: fc.option(sampling, { nil: undefined }),
    });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '\u{FFFD}', '\u{1F680}') });
    const next = fc.record({ capabilities: fc.constantFrom(llamacpp, openai), isSameOrigin: fc.boolean() });
    fc.assert(
      fc.property(anyWork, text, fc.integer({ min: 1, max: 20 }), next, (change, so, tokens, engine) => {
        const plan = planOf(change, engine, { text: so, tokens });
        const isLonger = plan.kind === 'longer-prompt';
        expect(!isLonger || goesOn(change, plan.work, so, tokens)).toBe(true);
        const isOneText = change.seed !== undefined || change.sampling?.temperature === 0;
        const isSame = engine.isSameOrigin && engine.capabilities === llamacpp;
        expect(plan.kind !== 'repeat' || (plan.prefix === so && isOneText && isSame)).toBe(true);
        expect(plan.kind === 'finished').toBe(tokens >= change.maxTokens);
      }),
    );
  });
});

type Change = Pick<CompletionWork, 'seed' | 'maxTokens' | 'sampling'>;

/** Whether a longer prompt asks for what is missing and nothing else. */
function goesOn({ seed, maxTokens, sampling }: Change, longer: CompletionWork, so: string, tokens: number): boolean {
  const { input, maxTokens: rest } = longer;
  const isWhole = 'prompt' in input && input.prompt === `P${so}` && rest > 0 && rest + tokens === maxTokens;
  const beginsStop = (sampling?.stop ?? []).some((stop) => beginnings(stop).some((start) => so.endsWith(start)));
  return isWhole && seed === undefined && sampling?.grammar === undefined && !beginsStop;
}

const beginnings = (stop: string): string[] => Array.from({ length: stop.length - 1 }, (_, n) => stop.slice(0, n + 1));
