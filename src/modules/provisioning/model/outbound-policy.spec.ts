import { describe, expect, it } from 'vitest';
import { checkOutbound, guardedLookup, type OutboundPolicy } from './outbound-policy.js';

const open: OutboundPolicy = { allowedHosts: [], hubOrigin: 'https://huggingface.co' };
const narrow: OutboundPolicy = { ...open, allowedHosts: ['huggingface.co', '*.example.com', '10.1.2.3'] };

describe('checkOutbound', () => {
  it.each([
    ['https://huggingface.co/a', open],
    ['https://anything.example.org/a', open],
    ['https://huggingface.co/a', narrow],
    ['https://cas-bridge.xethub.hf.co/a', narrow],
    ['https://models.example.com/a', narrow],
    ['https://HUGGINGFACE.co./a', narrow],
    ['https://10.1.2.3/a', narrow],
    ['http://127.0.0.1:9/a', { ...open, hubOrigin: 'http://127.0.0.1:9' }],
  ])('lets %s pass', (url, policy) => {
    expect(() => checkOutbound(new URL(url), policy)).not.toThrow();
  });

  it.each([
    ['https://example.com/a', narrow, 'allowed_hosts'],
    ['https://evil-example.com/a', narrow, 'allowed_hosts'],
    ['https://huggingface.co.evil.net/a', narrow, 'allowed_hosts'],
    ['http://huggingface.co/a', open, 'instead of https'],
    ['https://127.0.0.1/a', open, 'private network'],
    ['https://2130706433/a', open, 'private network'],
    ['https://0x7f.1/a', open, 'private network'],
    ['https://[::1]/a', open, 'private network'],
    ['https://[::ffff:192.168.0.1]/a', open, 'private network'],
    ['https://169.254.169.254/a', open, 'private network'],
    ['https://[fd00::1]/a', open, 'private network'],
    ['https://localhost/a', open, 'private network'],
    ['ftp://example.org/a', open, 'instead of https'],
    ['https://me:pw@example.org/a', open, 'user or password'],
  ])('refuses %s', (url, policy, reason) => {
    expect(() => checkOutbound(new URL(url), policy)).toThrow(reason);
  });
});

describe('guardedLookup', () => {
  const ask = (host: string, policy: OutboundPolicy) =>
    new Promise((resolve) =>
      guardedLookup(policy)(host, { all: true }, (error, addresses) => resolve(error ?? addresses)),
    );

  it('refuses a name that points inward', async () => {
    expect(await ask('localhost', open)).toMatchObject({ problem: 'refused-by-policy' });
  });

  it('resolves it when the operator named it', async () => {
    expect(await ask('localhost', { ...open, allowedHosts: ['localhost'] })).toBeInstanceOf(Array);
  });
});
