import type { PoolState } from '../../contract/pools.js';
import type { EngineLook } from '../../engines/engine-probe.js';

/** A replica somebody told us of: from the configuration, or announced by a pool manager. */
export interface KnownReplica {
  readonly id: string;
  /** Null while its engine is not up. */
  readonly url: string | null;
  /** Null: what the engine says. */
  readonly slots: number | null;
  readonly deviceMask: string | null;
  readonly pid: number | null;
  /** State as its manager sees it; null for engines nobody manages. */
  readonly managed: {
    readonly state: PoolState;
    readonly lastError: string | null;
    readonly ctxMax: number | null;
    readonly engineVersion: string | null;
  } | null;
}

/** A known replica with what the last probe told. */
export interface LiveReplica {
  readonly known: KnownReplica;
  readonly state: PoolState;
  readonly live: boolean;
  readonly ready: boolean;
  readonly slots: number;
  readonly ctxMax: number | null;
  readonly engineVersion: string | null;
  readonly lastError: string | null;
}

/** A replica before its first probe. */
export function unprobed(known: KnownReplica): LiveReplica {
  const state = known.managed?.state ?? 'uninitialized';
  return {
    known,
    state,
    live: false,
    ready: false,
    slots: known.slots ?? 0,
    ctxMax: null,
    engineVersion: null,
    lastError: known.managed?.lastError ?? null,
  };
}

/** A replica after a probe. Pure. An engine that once said its slots is not asked to have them again while it is away. */
export function afterProbe(known: KnownReplica, result: EngineLook, before: LiveReplica | undefined): LiveReplica {
  const managed = known.managed;
  if (result.kind === 'ready') {
    const said = result.slots ?? before?.slots ?? 1;
    return {
      known,
      state: 'ready',
      live: true,
      ready: true,
      slots: known.slots === null ? said : Math.min(known.slots, result.slots ?? known.slots),
      ctxMax: result.ctxMax ?? managed?.ctxMax ?? null,
      engineVersion: result.engineVersion ?? managed?.engineVersion ?? null,
      lastError: null,
    };
  }
  const isLoading = result.kind === 'loading';
  return {
    known,
    state: isLoading ? 'starting' : before?.ready === true || before?.state === 'offline' ? 'offline' : 'failed',
    live: isLoading,
    ready: false,
    slots: before?.slots ?? known.slots ?? 0,
    ctxMax: before?.ctxMax ?? null,
    engineVersion: before?.engineVersion ?? null,
    lastError: result.detail,
  };
}
