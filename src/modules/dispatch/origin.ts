import { createHash } from 'node:crypto';
import { servedModelName } from './engine-call.js';
import type { RunView } from './run-view.js';

/**
 * Names what must be the same for the same request to give the same tokens: the engine's version, model and sampler profile. Null: the
 * engine doesn't say its version.
 */
export function originOf({ pool, claim }: Pick<RunView, 'pool' | 'claim'>): string | null {
  const { config, replicas } = pool;
  const version = replicas.find(({ known }) => known.id === claim.replicaId)?.engineVersion ?? null;
  if (version === null) return null;
  const { engine, model, sampler_profile_version: profile } = config;
  const parts = [engine.id, version, model.ref, model.checksum ?? null, servedModelName(pool) ?? null, profile];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
