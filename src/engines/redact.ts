import type { Secret } from '../platform/config/secret.js';

const hidden = '[redacted]';

/** A text that may be logged and shown: without the given secret, and without user and password of any URL in it. */
export function redacted(text: string, secret?: Secret): string {
  const key = secret?.reveal() ?? '';
  const withoutKey = key === '' ? text : text.replaceAll(key, hidden);
  return withoutKey.replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@?#]*@/gi, `$1${hidden}@`);
}
