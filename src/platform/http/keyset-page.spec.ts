import { describe, expect, it } from 'vitest';
import { uuid } from '../../contract/common.js';
import { pageOf, readCursor } from './keyset-page.js';

const isId = (text: string): boolean => uuid.safeParse(text).success;
const id = '0b6f3a3e-5a43-4c7c-8a53-3a8f0c1d2e4f';
const cursorOf = (text: string): string => Buffer.from(text, 'latin1').toString('base64url');

describe('a page of a list', () => {
  it('leads on to the place of its last item when there is more', () => {
    const items = [3, 2, 1].map((createdMs) => ({ createdMs, id }));
    const { items: shown, next_cursor: next } = pageOf(items, 2, (item) => item);
    expect(shown).toEqual(items.slice(0, 2));
    expect(readCursor(next ?? '', isId)).toEqual({ createdMs: 2, id });
  });

  it('is the last one when there is no more', () => {
    expect(pageOf([{ createdMs: 1, id }], 1, (item) => item).next_cursor).toBeNull();
    expect(pageOf([], 1, () => ({ createdMs: 1, id })).next_cursor).toBeNull();
  });

  it.each([
    '',
    '?',
    cursorOf(id),
    cursorOf(`1.${id}x`),
    cursorOf(`1.${'-'.repeat(36)}`),
    cursorOf(`${'9'.repeat(16)}.${id}`),
  ])('is refused for the cursor %j, which no page has given', (cursor) => {
    expect(() => readCursor(cursor, isId)).toThrow('query.cursor');
  });

  it('begins at the beginning without a cursor', () => {
    expect(readCursor(undefined, isId)).toBeNull();
  });
});
