import type { ErrorDetail } from '../../contract/errors.js';

/** Deeper than any sensible JSON Schema, and far from the recursion limits of JSON.stringify and of Postgres' jsonb. */
const deepest = 100;

/**
 * What nothing behind the door may get, or null: NUL characters (Postgres text refuses them), half surrogate pairs (jsonb refuses them),
 * nesting without measure, `__proto__`, and numbers beyond ±1.8e308 (read as infinity, they would be written as `null`). Found here, it is the
 * client's 400 with the field's name; found later, it would be our 500.
 */
export function unstorable(value: unknown): ErrorDetail | null {
  const found = search(value, 0);
  return found === null
    ? null
    : { field: found.path.length === 0 ? 'body' : found.path.reverse().join('.'), problem: found.problem };
}

/** The path is collected from the inside out, so that a good value costs no path at all. */
interface Found {
  readonly path: string[];
  readonly problem: string;
}

function search(value: unknown, depth: number): Found | null {
  if (typeof value === 'string') return searchText(value);
  if (typeof value === 'number')
    return Number.isFinite(value) ? null : { path: [], problem: 'is a number too large for JSON (RFC 8785)' };
  if (typeof value !== 'object' || value === null) return null;
  if (depth === deepest) return { path: [], problem: `is nested deeper than ${deepest} levels` };
  return Array.isArray(value) ? searchItems(value, depth) : searchEntries(value, depth);
}

function searchItems(items: readonly unknown[], depth: number): Found | null {
  for (let index = 0; index < items.length; index += 1) {
    const found = search(items[index], depth + 1);
    if (found !== null) return within(found, String(index));
  }
  return null;
}

function searchEntries(value: object, depth: number): Found | null {
  // Not `Object.entries`, whose pairs take a second of a large object with many keys.
  for (const key of Object.keys(value)) {
    const child = (value as Readonly<Record<string, unknown>>)[key];
    // JSON.parse makes it an ordinary key; the first copy onto another object would replace that object's prototype.
    if (key === '__proto__') return { path: [key], problem: 'is a forbidden key' };
    const found = searchText(key) ?? search(child, depth + 1);
    if (found !== null) return within(found, clean(key));
  }
  return null;
}

function within(found: Found, part: string): Found {
  found.path.push(part);
  return found;
}

/** Why a text cannot be stored, or null. */
export function textProblem(text: string): string | null {
  if (text.includes('\0')) return 'contains a NUL character, which cannot be stored';
  if (!isWellFormed(text)) return 'contains half of a surrogate pair, which is no Unicode text';
  return null;
}

function searchText(text: string): Found | null {
  const problem = textProblem(text);
  return problem === null ? null : { path: [], problem };
}

/** In every Node since 20; TypeScript knows it only from lib es2024 on. */
function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

/** A field name that is itself the problem must not break the envelope's text. */
function clean(key: string): string {
  // eslint-disable-next-line no-control-regex
  return key.replaceAll(/[\u0000-\u001f]/g, '\u{fffd}').slice(0, 128);
}
