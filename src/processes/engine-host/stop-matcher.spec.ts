import { describe, expect, it } from 'vitest';
import { StopMatcher } from './stop-matcher.js';

describe('a stop matcher', () => {
  it('lets everything pass without stop words', () => {
    expect(new StopMatcher([]).push('anything')).toEqual({ text: 'anything' });
  });

  it('ends before a stop word inside one piece', () => {
    expect(new StopMatcher(['STOP']).push('go STOP here')).toEqual({ text: 'go ', stopWord: 'STOP' });
  });

  it('ends before a stop word spread over pieces and gives out no part of it', () => {
    const matcher = new StopMatcher(['END']);
    expect(matcher.push('a E')).toEqual({ text: '' });
    expect(matcher.push('N')).toEqual({ text: '' });
    expect(matcher.push('D b')).toEqual({ text: 'a ', stopWord: 'END' });
  });

  it('gives out what it held when the stop word does not come', () => {
    const matcher = new StopMatcher(['END']);
    expect(matcher.push('a EN')).toEqual({ text: '' });
    expect(matcher.push('ough')).toEqual({ text: 'a ENough' });
  });

  it('takes the earliest of several stop words', () => {
    expect(new StopMatcher(['late', 'early']).push('x early late')).toEqual({ text: 'x ', stopWord: 'early' });
  });

  it('notices a beginning that overlaps itself', () => {
    const matcher = new StopMatcher(['aab']);
    expect(matcher.push('aa')).toEqual({ text: '' });
    expect(matcher.push('a')).toEqual({ text: '' });
    expect(matcher.push('b')).toEqual({ text: 'a', stopWord: 'aab' });
  });

  it('flushes what it holds when nothing more can come', () => {
    const matcher = new StopMatcher(['END']);
    matcher.push('a E');
    expect(matcher.flush()).toBe('a E');
    expect(matcher.flush()).toBe('');
  });
});
