import type { PoolState } from '../../contract/pools.js';
import { circuitPhase, type CircuitPhase, type OpenCircuit } from '../../engines/circuit.js';
import type { EngineLook } from '../../engines/engine-probe.js';
import type { ReplicaClaims } from './replica-claims.js';

/** A replica somebody told us of: the configuration, a pool manager, or whoever registered it or left a handoff file. */
export interface KnownReplica {
  readonly id: string;
  /** Null while its engine is not up. */
  readonly url: string | null;
  /** Null: what the engine says. */
  readonly slots: number | null;
  readonly deviceMask: string | null;
  readonly pid: number | null;
  /** What a token of context takes in its KV cache, bytes; null: nobody said. */
  readonly kvBytesPerToken: number | null;
  /** State as its manager sees it; null for engines nobody manages. */
  readonly managed: {
    readonly state: PoolState;
    readonly lastError: string | null;
    readonly ctxMax: number | null;
    readonly engineVersion: string | null;
  } | null;
  /** What was said of it when it was bound at run time; null for others. It takes tasks only after a self-test. */
  readonly claims: ReplicaClaims | null;
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
  /** Name of its model, as it says. */
  readonly modelName: string | null;
  readonly lastError: string | null;
  readonly circuit: CircuitPhase;
  /** It answers and is what the pool wants, and no worker has seen it decode. */
  readonly awaitsSelfTest: boolean;
  /** Its last probe had no answer in time, the one before had. */
  readonly missedOne: boolean;
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
    modelName: null,
    lastError: known.managed?.lastError ?? null,
    circuit: 'closed',
    awaitsSelfTest: false,
    missedOne: false,
  };
}

/**
 * A replica as tasks may use it: not at all while its circuit is open, and one task at a time while that is half open. Its slots are
 * claimed exactly, over all processes, so that one task tries it and no more. Pure. @param nowMs Unix ms
 */
export function underCircuit(replica: LiveReplica, circuit: OpenCircuit | null, nowMs: number): LiveReplica {
  const phase = circuitPhase(circuit, nowMs);
  if (circuit === null || phase === 'closed' || !replica.ready) return replica;
  if (phase === 'half_open') return { ...replica, circuit: phase, slots: Math.min(1, replica.slots) };
  const lastError = `circuit open, it kept failing: ${circuit.reason}`;
  return { ...replica, circuit: phase, ready: false, state: 'failed', lastError };
}

/**
 * A replica after a probe. Pure. One answer that doesn't come in time changes nothing: machines stall, and a pool that is taken away for that
 * refuses every task. A refused connection, or a second silence, does.
 */
export function afterProbe(known: KnownReplica, look: EngineLook, before: LiveReplica | undefined): LiveReplica {
  if (look.kind === 'ready') return answering(known, look, before?.slots ?? 0);
  if (look.kind === 'silent' && before?.ready === true && !before.missedOne)
    return { ...before, known, missedOne: true };
  return away(known, look, before ?? unprobed(known));
}

/** @param slotsBefore as many as it is taken to have when it doesn't say; one at least */
function answering(
  known: KnownReplica,
  { slots, ctxMax, engineVersion, modelName }: Extract<EngineLook, { kind: 'ready' }>,
  slotsBefore: number,
): LiveReplica {
  const told = known.managed ?? known.claims;
  return {
    known,
    state: 'ready',
    live: true,
    ready: true,
    // The configuration may take fewer slots than the engine has, never more.
    slots: known.slots === null ? (slots ?? Math.max(1, slotsBefore)) : Math.min(known.slots, slots ?? known.slots),
    ctxMax: ctxMax ?? told?.ctxMax ?? null,
    engineVersion: engineVersion ?? told?.engineVersion ?? null,
    modelName,
    lastError: null,
    circuit: 'closed',
    awaitsSelfTest: false,
    missedOne: false,
  };
}

/** Keeps what the engine said of itself the last time it answered. */
function away(
  known: KnownReplica,
  { kind, detail }: Exclude<EngineLook, { kind: 'ready' }>,
  { ready, state, slots, ctxMax, engineVersion, modelName }: LiveReplica,
): LiveReplica {
  const isLoading = kind === 'loading';
  const wasUp = ready || state === 'offline';
  return {
    known,
    state: isLoading ? 'starting' : wasUp ? 'offline' : 'failed',
    live: isLoading,
    ready: false,
    slots,
    ctxMax,
    engineVersion,
    modelName,
    lastError: detail,
    circuit: 'closed',
    awaitsSelfTest: false,
    missedOne: false,
  };
}
