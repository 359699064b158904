import { describe, expect, it } from 'vitest';
import { poolConfig } from '../../contract/config.js';
import { agreeing, claimProblem, versionProblem } from './fit.js';
import { afterProbe, type KnownReplica, type LiveReplica } from './live-replica.js';
import type { ReplicaClaims } from './replica-claims.js';

const digest = `sha256:${'a'.repeat(64)}`;
const wanted = poolConfig.parse({
  id: 'p',
  engine: { id: 'llamacpp', version: 'b1' },
  model: { ref: 'm', checksum: digest },
});
const silent: ReplicaClaims = {
  source: 'registration',
  engine: 'llamacpp',
  engineVersion: null,
  samplerProfileVersion: null,
  modelDigest: null,
  ctxMax: null,
  vramTotalBytes: null,
  vramFreeBytes: null,
};

function replica(id: string, engineVersion: string | null, claims: ReplicaClaims | null = null): LiveReplica {
  const known: KnownReplica = {
    id,
    url: 'http://x',
    slots: 1,
    deviceMask: null,
    pid: null,
    kvBytesPerToken: null,
    managed: null,
    claims,
  };
  return afterProbe(known, { kind: 'ready', engineVersion, ctxMax: null, slots: null, modelName: null }, undefined);
}

describe('what was said of an engine', () => {
  it('may be nothing, or what the pool wants', () => {
    expect(claimProblem(wanted, silent)).toBeNull();
    const said = { ...silent, engineVersion: 'b1', samplerProfileVersion: 'v1', modelDigest: digest };
    expect(claimProblem(wanted, said)).toBeNull();
  });

  it.each([
    [{ engine: 'openai' }, 'it is openai'],
    [{ engineVersion: 'b2' }, 'engine version is b2'],
    [{ samplerProfileVersion: 'v2' }, 'sampler profile is v2'],
    [{ modelDigest: `sha256:${'b'.repeat(64)}` }, 'model digest is'],
  ] as const)('keeps it out when it differs: %o', (change, problem) => {
    expect(claimProblem(wanted, { ...silent, ...change })).toContain(problem);
  });

  it('is held against what the engine says of itself', () => {
    expect(versionProblem(wanted, replica('a', 'b1', { ...silent, engineVersion: 'b1' }))).toBeNull();
    expect(versionProblem(wanted, replica('a', 'b2', { ...silent, engineVersion: 'b1' }))).toContain('says b2');
    expect(versionProblem(wanted, replica('a', 'b2'))).toContain('the pool wants b1');
    expect(versionProblem(wanted, replica('a', null))).toBeNull();
  });
});

describe('replicas of one pool', () => {
  const readyOf = (replicas: readonly LiveReplica[]) => agreeing(replicas).map(({ known, ready }) => [known.id, ready]);

  it('that differ from most in their version stay out; one that says none is let in', () => {
    const replicas = [replica('a', 'b1'), replica('b', 'b2'), replica('c', 'b2'), replica('d', null)];
    expect(readyOf(replicas)).toEqual([
      ['a', false],
      ['b', true],
      ['c', true],
      ['d', true],
    ]);
  });

  it('in two halves go by the first, those of the configuration before others', () => {
    expect(readyOf([replica('a', 'b1'), replica('b', 'b2')])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(readyOf([replica('a', 'b1', silent), replica('b', 'b2')])).toEqual([
      ['a', false],
      ['b', true],
    ]);
  });
});
