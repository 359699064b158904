const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const lineFeed = 0x0a;
const zero = 0x30;
const nine = 0x39;

const beforeIndex = Buffer.from('data: {"index":');
const beforeText = Buffer.from(',"content":"');
const afterText = Buffer.from('","tokens":[');
const afterTokens = Buffer.from('],"stop":false,');

/**
 * Reads the event of a token whose text has no escapes, as llama-server and our engine host write it, straight from the bytes: nearly all of
 * them are, and making a string of the line and parsing that costs five times as much. Any other spelling of the same is left to others.
 */
export class PlainToken {
  /** Of the event read last. */
  text = '';

  /** @returns where the next event begins; -1: what lies at `from` is no such event, or not all of it is there */
  read(bytes: Buffer, from: number): number {
    if (!hasAt(bytes, from, beforeIndex)) return -1;
    const at = pastDigits(bytes, from + beforeIndex.length);
    if (!hasAt(bytes, at, beforeText)) return -1;
    const textFrom = at + beforeText.length;
    const textTo = textFrom + lengthOfPlain(bytes, textFrom);
    if (textTo === textFrom || !hasAt(bytes, textTo, afterText)) return -1;
    const tokensTo = pastNumbers(bytes, textTo + afterText.length);
    if (!hasAt(bytes, tokensTo, afterTokens)) return -1;
    const end = bytes.indexOf(lineFeed, tokensTo);
    if (end < 0 || bytes[end + 1] !== lineFeed) return -1;
    this.text = bytes.toString('utf8', textFrom, textTo);
    return end + 2;
  }
}

/** Bytes up to what JSON gives a meaning inside a string. */
function lengthOfPlain(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && byte !== quote && byte !== backslash; byte = bytes[at]) {
    if (byte === lineFeed) break;
    at += 1;
  }
  return at - from;
}

/** Behind digits with commas between. */
function pastNumbers(bytes: Buffer, from: number): number {
  let at = pastDigits(bytes, from);
  while (bytes[at] === comma) at = pastDigits(bytes, at + 1);
  return at;
}

function hasAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let n = 0; n < expected.length; n++) if (bytes[at + n] !== expected[n]) return false;
  return true;
}

function pastDigits(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && byte >= zero && byte <= nine; byte = bytes[at]) at += 1;
  return at;
}
