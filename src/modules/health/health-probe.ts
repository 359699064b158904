/** Asks one thing this process cannot do without. Throws, in words an operator understands, when it is away. */
export interface HealthProbe {
  readonly name: string;
  check(signal: AbortSignal): Promise<void>;
}

/** Injection token of the `HealthProbe[]` that readiness is made of; the process that wires the stores provides it. */
export const HEALTH_PROBES = Symbol('HEALTH_PROBES');
