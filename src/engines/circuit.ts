/** A replica that kept failing, and gets nothing until a moment. */
export interface OpenCircuit {
  /** Unix ms of the first opening. */
  readonly sinceMs: number;
  /** Unix ms from which one task may try it. */
  readonly untilMs: number;
  /** Openings in a row, one at least. */
  readonly trips: number;
  /** What failed last, in words fit for logs. */
  readonly reason: string;
}

/** `half_open`: one task may try, and decides what follows. */
export type CircuitPhase = 'closed' | 'open' | 'half_open';

/** When a circuit opens, and for how long. */
export interface CircuitRules {
  /** As many failures within `windowMs` open it, if they are half of all outcomes or more. */
  readonly failures: number;
  readonly windowMs: number;
  /** Milliseconds of the first opening; each further one in a row is twice as long. */
  readonly openMs: number;
  readonly longestOpenMs: number;
}

/** Where the circuits of replicas lie, for all processes. Null: closed. */
export interface CircuitBoard {
  /** As far as it is known here. */
  of(poolId: string, replicaId: string): OpenCircuit | null;
  /** Counts here at once, elsewhere a moment later. Never throws. */
  set(poolId: string, replicaId: string, circuit: OpenCircuit | null): void;
}

/** The phase at a moment. Pure. @param nowMs Unix ms */
export function circuitPhase(circuit: OpenCircuit | null, nowMs: number): CircuitPhase {
  if (circuit === null) return 'closed';
  return nowMs < circuit.untilMs ? 'open' : 'half_open';
}

/** The circuit after one more opening. Pure. @param before what it was until now */
export function opened(before: OpenCircuit | null, nowMs: number, reason: string, rules: CircuitRules): OpenCircuit {
  const trips = (before?.trips ?? 0) + 1;
  const delayMs = Math.min(rules.longestOpenMs, rules.openMs * 2 ** Math.min(trips - 1, 30));
  return { sinceMs: before?.sinceMs ?? nowMs, untilMs: nowMs + delayMs, trips, reason };
}
