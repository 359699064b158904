import { describe, expect, it } from 'vitest';
import { authenticate, digestOf, type AuthPolicy } from './authenticate.js';

const policy: AuthPolicy = {
  tokenDigest: digestOf('s3cret'),
  isOptionalOnLoopback: true,
  trustProxy: false,
  ownHost: '127.0.0.1',
  trustedOrigins: new Set(['https://app.example.com']),
};
const host = 'localhost:8080';

function codeOf(address: string, headers: Record<string, string>, overrides: Partial<AuthPolicy> = {}): string {
  const outcome = authenticate(address, headers, { ...policy, ...overrides });
  return outcome.allowed ? outcome.identity : outcome.error.code;
}

describe('authenticate', () => {
  it('lets the right token in from anywhere and names it by its fingerprint', () => {
    const identity = codeOf('203.0.113.9', { authorization: 'Bearer s3cret' });
    expect(identity).toBe(`token:${digestOf('s3cret').toString('hex').slice(0, 6)}`);
    expect(codeOf('203.0.113.9', { authorization: 'bearer   s3cret ' })).toBe(identity);
  });

  it('asks for a token from beyond loopback', () => {
    expect(codeOf('203.0.113.9', { host })).toBe('MISSING_TOKEN');
    expect(codeOf('::ffff:203.0.113.9', { host })).toBe('MISSING_TOKEN');
    expect(codeOf('', { host })).toBe('MISSING_TOKEN');
  });

  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('lets %s in without a token', (address) => {
    expect(codeOf(address, { host })).toBe('localhost');
  });

  it('asks loopback for a token where it is not optional', () => {
    expect(codeOf('127.0.0.1', { host }, { isOptionalOnLoopback: false })).toBe('MISSING_TOKEN');
  });

  it.each(['Bearer wrong', 'Bearer ', 'Basic czNjcmV0', 's3cret', 'Bearer s3cret extra', ''])(
    'refuses "%s" even from loopback',
    (authorization) => {
      expect(codeOf('127.0.0.1', { host, authorization })).toBe('BAD_TOKEN');
    },
  );

  it('refuses any token when the server has none', () => {
    expect(codeOf('127.0.0.1', { host, authorization: 'Bearer x' }, { tokenDigest: null })).toBe('BAD_TOKEN');
  });

  describe('behind a proxy on the same machine', () => {
    it.each(['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'])(
      'does not take a request with %s for a local one',
      (name) => {
        expect(codeOf('127.0.0.1', { host, [name]: '127.0.0.1' })).toBe('MISSING_TOKEN');
      },
    );

    it.each([
      ['203.0.113.9', 'MISSING_TOKEN'],
      ['127.0.0.1', 'localhost'],
      ['[::1]:5000', 'localhost'],
      ['127.0.0.1, 203.0.113.9', 'MISSING_TOKEN'],
      ['203.0.113.9, 127.0.0.1', 'MISSING_TOKEN'],
      ['', 'MISSING_TOKEN'],
    ])('that is trusted and says %s: %s', (forwarded, expected) => {
      expect(codeOf('127.0.0.1', { host, 'x-forwarded-for': forwarded }, { trustProxy: true })).toBe(expected);
    });

    it('does not believe a claim of loopback from another machine', () => {
      expect(codeOf('203.0.113.9', { host, 'x-forwarded-for': '127.0.0.1' }, { trustProxy: true })).toBe(
        'MISSING_TOKEN',
      );
    });
  });

  describe('a browser on this machine', () => {
    it('may not act for a rebound name', () => {
      expect(codeOf('127.0.0.1', { host: 'evil.example:8080' })).toBe('MISSING_TOKEN');
      expect(codeOf('127.0.0.1', { host: '127.0.0.1.evil.example' })).toBe('MISSING_TOKEN');
    });

    it('may not act for a page of another origin', () => {
      expect(codeOf('127.0.0.1', { host, origin: 'https://evil.example' })).toBe('MISSING_TOKEN');
      expect(codeOf('127.0.0.1', { host, origin: 'http://localhost:9999' })).toBe('MISSING_TOKEN');
      expect(codeOf('127.0.0.1', { host, origin: 'null' })).toBe('MISSING_TOKEN');
    });

    it('may act for our own pages and for configured origins', () => {
      expect(codeOf('127.0.0.1', { host, origin: 'http://localhost:8080' })).toBe('localhost');
      expect(codeOf('127.0.0.1', { host, origin: 'https://app.example.com' })).toBe('localhost');
      expect(codeOf('::1', { host: '[::1]:8080', origin: 'http://[::1]:8080' })).toBe('localhost');
    });
  });
});
