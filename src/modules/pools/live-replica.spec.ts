import { describe, expect, it } from 'vitest';
import type { EngineLook } from '../../engines/engine-probe.js';
import { afterProbe, underCircuit, unprobed, type KnownReplica } from './live-replica.js';

function known(changes: Partial<KnownReplica> = {}): KnownReplica {
  const nothing = { slots: null, deviceMask: null, pid: null, kvBytesPerToken: null, managed: null, claims: null };
  return { id: 'r0', url: 'http://127.0.0.1:1', ...nothing, ...changes };
}

function ready(changes: Partial<Extract<EngineLook, { kind: 'ready' }>> = {}): EngineLook {
  return { kind: 'ready', engineVersion: 'b1', ctxMax: 4096, slots: 4, modelName: null, ...changes };
}

const dead: EngineLook = { kind: 'dead', detail: 'connection refused' };
const loading: EngineLook = { kind: 'loading', detail: 'its model is loading' };

describe('slots of a replica', () => {
  it('are what the engine says, unless the configuration takes fewer', () => {
    expect(afterProbe(known(), ready(), undefined).slots).toBe(4);
    expect(afterProbe(known({ slots: 2 }), ready(), undefined).slots).toBe(2);
    expect(afterProbe(known({ slots: 9 }), ready(), undefined).slots).toBe(4);
  });

  it('are those of the configuration, else one, when the engine does not say', () => {
    const silent = ready({ slots: null });
    expect(afterProbe(known({ slots: 3 }), silent, unprobed(known({ slots: 3 }))).slots).toBe(3);
    expect(afterProbe(known(), silent, unprobed(known())).slots).toBe(1);
  });

  it('stay as they were while the engine is away or forgets to say', () => {
    const before = afterProbe(known(), ready(), undefined);
    expect(afterProbe(known(), dead, before).slots).toBe(4);
    expect(afterProbe(known(), ready({ slots: null }), before).slots).toBe(4);
  });
});

describe('state of a replica', () => {
  it('is ready and free of old errors once the engine answers', () => {
    const failed = afterProbe(known(), dead, unprobed(known()));
    expect(afterProbe(known(), ready(), failed)).toMatchObject({
      state: 'ready',
      live: true,
      ready: true,
      lastError: null,
    });
  });

  it('is failed when the engine never answered, offline when it did', () => {
    const never = afterProbe(known(), dead, unprobed(known()));
    expect(never).toMatchObject({ state: 'failed', live: false, ready: false, lastError: 'connection refused' });
    const gone = afterProbe(known(), dead, afterProbe(known(), ready(), undefined));
    expect(gone.state).toBe('offline');
    expect(afterProbe(known(), dead, gone).state).toBe('offline');
  });

  it('outlives one probe without an answer in time, not two in a row', () => {
    const silent: EngineLook = { kind: 'silent', detail: 'no answer in time' };
    const up = afterProbe(known(), ready(), undefined);
    const once = afterProbe(known(), silent, up);
    expect(once).toMatchObject({ state: 'ready', ready: true, slots: 4 });
    expect(afterProbe(known(), silent, once)).toMatchObject({ state: 'offline', ready: false });
    const again = afterProbe(known(), ready(), once);
    expect(afterProbe(known(), silent, again)).toMatchObject({ ready: true });
    expect(afterProbe(known(), silent, unprobed(known()))).toMatchObject({ state: 'failed', ready: false });
  });

  it('is starting, and live, while the model loads', () => {
    expect(afterProbe(known(), loading, unprobed(known()))).toMatchObject({
      state: 'starting',
      live: true,
      ready: false,
    });
  });

  it('is what its manager says before the first look', () => {
    const managed = { state: 'provisioning' as const, lastError: 'no disk', ctxMax: null, engineVersion: null };
    expect(unprobed(known({ managed, slots: 2 }))).toMatchObject({
      state: 'provisioning',
      lastError: 'no disk',
      slots: 2,
    });
    expect(unprobed(known()).state).toBe('uninitialized');
  });

  it('keeps what only its manager knows', () => {
    const managed = { state: 'ready' as const, lastError: null, ctxMax: 2048, engineVersion: 'v9' };
    const look = ready({ ctxMax: null, engineVersion: null });
    expect(afterProbe(known({ managed }), look, undefined)).toMatchObject({ ctxMax: 2048, engineVersion: 'v9' });
  });
});

describe('a replica with a circuit', () => {
  const open = { sinceMs: 0, untilMs: 1000, trips: 1, reason: 'lost' };
  const up = afterProbe(known(), ready(), undefined);

  it('takes nothing while it is open, one task at a time while it is half open, and is as it was when closed', () => {
    expect(underCircuit(up, null, 0)).toBe(up);
    expect(underCircuit(up, open, 999)).toMatchObject({ ready: false, live: true, state: 'failed', circuit: 'open' });
    expect(underCircuit(up, open, 1000)).toMatchObject({ ready: true, slots: 1, circuit: 'half_open' });
  });

  it('shows what the probe says when that is worse', () => {
    const gone = afterProbe(known(), dead, up);
    expect(underCircuit(gone, open, 0)).toBe(gone);
  });
});
