import { describe, expect, it } from 'vitest';
import { Utf8Holder } from './utf8-holder.js';

describe('a UTF-8 holder', () => {
  it.each(['plain', 'é', '€', '😀', 'aé€😀z'])('gives out %s whole when it comes byte by byte', (text) => {
    const holder = new Utf8Holder();
    const pieces = [...Buffer.from(text)].map((byte) => holder.push(Buffer.of(byte)));
    expect(pieces.join('')).toBe(text);
    expect(pieces.every((piece) => !piece.includes('\uFFFD'))).toBe(true);
    expect(holder.isHolding).toBe(false);
  });

  it('gives out complete characters at once and holds only the unfinished end', () => {
    const holder = new Utf8Holder();
    expect(holder.push(Buffer.from([0x61, 0xf0, 0x9f]))).toBe('a');
    expect(holder.isHolding).toBe(true);
    expect(holder.push(Buffer.from([0x98, 0x80, 0x62]))).toBe('😀b');
  });

  it('does not wait for the rest of bytes that can never be a character', () => {
    const holder = new Utf8Holder();
    expect(holder.push(Buffer.from([0xff]))).toBe('\uFFFD');
    expect(holder.push(Buffer.from([0x80, 0x80, 0x80, 0x80]))).toBe('\uFFFD'.repeat(4));
    expect(holder.push(Buffer.from([0xc3, 0x41]))).toBe('\uFFFDA');
    expect(holder.isHolding).toBe(false);
  });
});
