import canonicalize from 'canonicalize';

/**
 * The one text that a JSON value has by RFC 8785 (JCS): no white space, keys in the order of their UTF-16 units, numbers as ECMAScript
 * writes them (`-0` is `0`). Keys whose value is `undefined` are left out. Throws for what RFC 8785 refuses: numbers that are not finite,
 * halves of surrogate pairs.
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}
