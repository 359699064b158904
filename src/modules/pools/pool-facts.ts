import type { Vram } from './gpu-memory.js';
import type { LiveReplica } from './live-replica.js';
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

/** Memory of the GPUs under a replica: as seen of late, else as was said when it was bound; null: unknown. */
export function vramOf(
  { gpuMemory }: Pick<LivePool, 'gpuMemory'>,
  { known: { id, claims } }: Pick<LiveReplica, 'known'>,
): { readonly [Amount in keyof Vram]: number | null } {
  return gpuMemory.get(id) ?? { totalBytes: claims?.vramTotalBytes ?? null, freeBytes: claims?.vramFreeBytes ?? null };
}

/** What a token of context takes in a replica's KV cache, bytes: the configuration's word before the model's; null: unknown. */
export function kvBytesPerTokenOf(
  { config }: Pick<LivePool, 'config'>,
  { known }: Pick<LiveReplica, 'known'>,
): number | null {
  return config.model.kv_bytes_per_token ?? known.kvBytesPerToken;
}

/**
 * What so many tokens of context take in the KV cache of a replica that has them still, bytes. Null: it is not there or not ready, so that it
 * has none, or what a token takes is not known.
 */
export function keptKvBytes(pool: LivePool | null, replicaId: string, tokens: number): number | null {
  const replica = pool?.replicas.find(({ known }) => known.id === replicaId);
  if (pool === null || replica === undefined || !replica.ready) return null;
  const perToken = kvBytesPerTokenOf(pool, replica);
  return perToken === null ? null : perToken * Math.min(tokens, replica.ctxMax ?? tokens);
}
