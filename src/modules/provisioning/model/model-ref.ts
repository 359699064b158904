import { ProvisioningError } from '../provisioning.errors.js';

/** Where a model comes from, parsed and safe to build paths from. */
export type ModelRef =
  | { readonly kind: 'demo' }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'hf';
      readonly org: string;
      readonly repo: string;
      /** Path inside the repository, `/` between segments. */
      readonly file: string;
      readonly revision: string;
    }
  | { readonly kind: 'https'; readonly url: string };

const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
const fileSegment = /^[A-Za-z0-9_][A-Za-z0-9 ._+()=-]{0,200}$/;
const revision = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
const shard = /-\d{5}-of-\d{5}\.gguf$/;
const scheme = /^([a-z][a-z0-9+.-]+):/i;

/**
 * Parses `demo`, a path, `file:/abs`, `hf:org/repo/file.gguf[@revision]` or `https://…`. Throws ProvisioningError `bad-ref` for everything else;
 * what it returns holds no `..`, no empty segment, no control character and no user in a URL.
 */
export function parseModelRef(text: string): ModelRef {
  if (text.trim() === '' || text !== text.trim()) throw bad(text, 'is empty or has spaces around it');
  if (/\p{Cc}/u.test(text)) throw bad(text, 'holds control characters');
  if (text === 'demo') return { kind: 'demo' };
  const prefix = scheme.exec(text)?.[1]?.toLowerCase();
  if (prefix === undefined) return { kind: 'file', path: text };
  const parse = parsers.get(prefix);
  if (parse === undefined) throw bad(text, notSupported(prefix));
  return parse(text);
}

const parsers: ReadonlyMap<string, (text: string) => ModelRef> = new Map([
  ['hf', parseHub],
  ['https', parseUrl],
  ['file', parseFile],
]);

function notSupported(prefix: string): string {
  if (prefix === 'http') return 'is plain http, which anyone on the way can change; use https';
  if (prefix === 's3' || prefix === 'oci')
    return `uses ${prefix}:, which is not supported yet; use hf:, https: or a path`;
  return `has the unknown scheme ${prefix}:; use demo, a path, file:, hf: or https:`;
}

/** The last part of the ref, for people and for the engine's alias: `qwen2.5-0.5b-q4.gguf`. */
export function modelName(ref: ModelRef): string {
  switch (ref.kind) {
    case 'demo':
      return 'demo';
    case 'file':
      return lastSegment(ref.path);
    case 'hf':
      return lastSegment(ref.file);
    case 'https':
      return lastSegment(new URL(ref.url).pathname);
  }
}

function parseHub(text: string): ModelRef {
  const at = text.lastIndexOf('@');
  const path = text.slice(3, at === -1 ? undefined : at);
  const wantedRevision = at === -1 ? 'main' : text.slice(at + 1);
  const [org, repo, ...rest] = path.split('/');
  if (org === undefined || repo === undefined || !name.test(org) || !name.test(repo))
    throw bad(text, 'must be hf:org/repo/file.gguf[@revision]');
  if (!revision.test(wantedRevision) || wantedRevision.includes('..')) throw bad(text, 'has an unusual revision');
  return { kind: 'hf', org, repo, file: hubFile(text, rest), revision: wantedRevision };
}

function hubFile(text: string, segments: readonly string[]): string {
  if (segments.length === 0) throw bad(text, 'names no file; add one, as in hf:org/repo/file.gguf');
  if (!segments.every((segment) => fileSegment.test(segment) && !segment.endsWith('.')))
    throw bad(text, 'has a file path with empty, dotted or unusual segments');
  const file = segments.join('/');
  if (!file.toLowerCase().endsWith('.gguf')) throw bad(text, 'names a file that is not .gguf');
  if (shard.test(file))
    throw bad(text, 'is one part of a split GGUF; join the parts with llama-gguf-split --merge and give the path');
  return file;
}

function parseUrl(text: string): ModelRef {
  if (!URL.canParse(text)) throw bad(text, 'is not a valid URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw bad(`https://${url.host}/…`, 'carries a user or password, which would end up in logs');
  if (lastSegment(url.pathname) === '') throw bad(text, 'names no file');
  url.hash = '';
  return { kind: 'https', url: url.href };
}

function parseFile(text: string): ModelRef {
  const rest = text.slice('file:'.length);
  const path = rest.startsWith('///') ? rest.slice(2) : rest;
  if (!path.startsWith('/') || path.startsWith('//')) throw bad(text, 'must be file:/absolute/path');
  return { kind: 'file', path };
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function bad(text: string, problem: string): ProvisioningError {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  return new ProvisioningError('bad-ref', `Model ref ${JSON.stringify(shown)} ${problem}.`);
}
