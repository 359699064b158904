import type { LivePool } from './pool-registry.js';

/** Slots in use, as of the last look. */
export function busySlots({ leases }: Pick<LivePool, 'leases'>): number {
  let busy = 0;
  for (const count of leases.values()) busy += count;
  return busy;
}

/** The version that the first replica tells which tells one; null while none does. */
export function engineVersionOf({ replicas }: Pick<LivePool, 'replicas'>): string | null {
  return replicas.find(({ engineVersion }) => engineVersion !== null)?.engineVersion ?? null;
}
