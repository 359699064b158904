/** Joins the bytes of tokens into text without ever giving out half a character. */
export class Utf8Holder {
  private held: Buffer = Buffer.alloc(0);

  /** True while the last bytes received are the beginning of an unfinished character. */
  get isHolding(): boolean {
    return this.held.length > 0;
  }

  /** The characters completed by `bytes`; bytes that can't be UTF-8 become U+FFFD. */
  push(bytes: Buffer): string {
    const all = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes]);
    const complete = all.length - unfinishedTail(all);
    this.held = all.subarray(complete);
    return all.toString('utf8', 0, complete);
  }
}

/** How many bytes at the end start a character that needs more of them: 0 to 3. */
function unfinishedTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    const isContinuation = (byte & 0xc0) === 0x80;
    if (!isContinuation) return characterLength(byte) > back ? back : 0;
  }
  return 0;
}

/** Length in bytes of the character that starts with `lead`; 1 for what starts none. */
function characterLength(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xc2 && lead < 0xe0 ? 2 : 1;
}
