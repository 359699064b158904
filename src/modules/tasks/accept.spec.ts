import { describe, expect, it } from 'vitest';
import { prefersEventStream } from './accept.js';

describe('prefersEventStream', () => {
  it.each([
    ['text/event-stream'],
    ['Text/Event-Stream; charset=utf-8'],
    ['text/event-stream;q=0.5'],
    ['application/json, text/event-stream'],
    ['text/event-stream, */*;q=0.1'],
    ['application/json;q=0.2 , text/event-stream;q=0.3'],
    ['*/*, application/json;q=0.1, text/event-stream;q=0.5'],
  ])('is true for %j', (accept) => {
    expect(prefersEventStream(accept)).toBe(true);
  });

  it.each([
    [undefined],
    [''],
    ['*/*'],
    ['text/*'],
    ['text/event-streams'],
    ['text/event-stream;q=0'],
    ['text/event-stream;q=x'],
    ['text/event-stream;q=0.5, application/json'],
    ['application/json, text/event-stream; q=0.9'],
    ['text/event-stream;q=0.5, */*'],
    [',;,q=1;'],
  ])('is false for %j', (accept) => {
    expect(prefersEventStream(accept)).toBe(false);
  });
});
