import fc from 'fast-check';
import { isAbsolute, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ProvisioningError } from '../provisioning.errors.js';
import { cachePath } from './ensure-model.js';
import { modelName, parseModelRef } from './model-ref.js';

describe('parseModelRef', () => {
  it.each([
    ['demo', { kind: 'demo' }],
    ['models/x.gguf', { kind: 'file', path: 'models/x.gguf' }],
    ['/srv/x.gguf', { kind: 'file', path: '/srv/x.gguf' }],
    ['file:/srv/x.gguf', { kind: 'file', path: '/srv/x.gguf' }],
    ['file:///srv/x.gguf', { kind: 'file', path: '/srv/x.gguf' }],
    ['hf:acme/tiny/q4.gguf', { kind: 'hf', org: 'acme', repo: 'tiny', file: 'q4.gguf', revision: 'main' }],
    ['hf:acme/tiny/sub/q4.gguf@v1.0', { kind: 'hf', org: 'acme', repo: 'tiny', file: 'sub/q4.gguf', revision: 'v1.0' }],
    [
      'hf:acme/tiny/q4.gguf@refs/pr/1',
      { kind: 'hf', org: 'acme', repo: 'tiny', file: 'q4.gguf', revision: 'refs/pr/1' },
    ],
    ['https://example.com/m/x.gguf?a=1#top', { kind: 'https', url: 'https://example.com/m/x.gguf?a=1' }],
  ])('reads %s', (text, expected) => {
    expect(parseModelRef(text)).toEqual(expected);
  });

  it.each([
    ['', 'empty'],
    [' demo', 'spaces'],
    ['a\nb', 'control characters'],
    ['hf:acme', 'hf:org/repo/file.gguf'],
    ['hf:acme/tiny', 'names no file'],
    ['hf:acme/tiny/x.bin', 'not .gguf'],
    ['hf:acme/../x.gguf', 'hf:org/repo'],
    ['hf:acme/tiny/../../x.gguf', 'segments'],
    ['hf:acme/tiny//x.gguf', 'segments'],
    ['hf:acme/tiny/x.gguf@../main', 'revision'],
    ['hf:acme/tiny/x.gguf@', 'revision'],
    ['hf:acme/tiny/x-00001-of-00003.gguf', 'llama-gguf-split'],
    ['http://example.com/x.gguf', 'plain http'],
    ['s3://bucket/x.gguf', 'not supported yet'],
    ['oci://r/x:1', 'not supported yet'],
    ['ftp://r/x', 'unknown scheme'],
    ['constructor:x', 'unknown scheme'],
    ['file:relative', 'file:/absolute'],
    ['file://host/x', 'file:/absolute'],
    ['https://example.com/', 'names no file'],
  ])('refuses %j and says why', (text, reason) => {
    expect(() => parseModelRef(text)).toThrow(expect.objectContaining({ problem: 'bad-ref' }));
    expect(() => parseModelRef(text)).toThrow(reason);
  });

  it('does not repeat a password from a URL', () => {
    expect(() => parseModelRef('https://me:s3cret@example.com/x.gguf')).toThrow(/password/);
    expect(() => parseModelRef('https://me:s3cret@example.com/x.gguf')).not.toThrow(/s3cret/);
  });

  it('either refuses a text or gives a ref whose cache path stays in the cache', () => {
    const pieces = fc.constantFrom(
      'hf:',
      'https://',
      'a',
      '..',
      '.',
      '/',
      '//',
      '\\',
      '%2e%2e',
      '@',
      'x.gguf',
      ':',
      '~',
      ' ',
      'ä',
      '?',
      '#',
    );
    const text = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (ref) => {
        const parsed = attempt(ref);
        if (parsed === null || parsed.kind === 'file') return;
        const path = relative('/cache', resolve(cachePath('/cache', parsed)));
        expect(isAbsolute(path) || path.startsWith('..') || path === '').toBe(false);
        expect(modelName(parsed)).not.toContain('/');
      }),
      { numRuns: 2000 },
    );
  });
});

/** The ref, or null when it was refused in the one way that is allowed. */
function attempt(text: string) {
  try {
    return parseModelRef(text);
  } catch (error) {
    if (error instanceof ProvisioningError) return null;
    throw error;
  }
}
