import { expect, it } from 'vitest';
import { Secret } from '../platform/config/secret.js';
import { redacted } from './redact.js';

it('takes out a key wherever it stands, and leaves the rest as it is', () => {
  expect(redacted('Incorrect API key: sk-1. (sk-1)', new Secret('sk-1'))).toBe(
    'Incorrect API key: [redacted]. ([redacted])',
  );
  expect(redacted('nothing to hide', new Secret(''))).toBe('nothing to hide');
});

it('takes out user and password of URLs, and not a path that looks like them', () => {
  expect(redacted('GET http://me:pass@gpu:81/health answered 500')).toBe(
    'GET http://[redacted]@gpu:81/health answered 500',
  );
  expect(redacted('http://gpu/a@b?c=d@e')).toBe('http://gpu/a@b?c=d@e');
});
